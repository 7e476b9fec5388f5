package parley

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rt/parley/internal/deflate"
	"github.com/parley-rt/parley/internal/socket"
)

// Hub holds the connections of one process and sends messages to them. Make one
// with [NewHub]. Its methods are safe for concurrent use.
type Hub struct {
	opts   Options
	log    *slog.Logger
	engine *socket.Engine
	table  *table
	link   Link
	codec  *deflate.Codec // nil without Options.Compression
	budget *socket.Budget // of unfinished messages
	keep   keepRules

	runners runners
	live    gate            // connections whose Connect began and whose Disconnect has not returned
	keeping gate            // kept messages that are not known to be safe yet
	flight  *inFlight       // those that the program sent by SendAsync
	flights *sync.Pool      // of inFlight, for connections
	closing chan struct{}   // closed when Close begins
	cut     context.Context // parent of the connections' contexts: done when Close has waited long enough
	cutOff  context.CancelFunc
	joins   joinings
	readers readers      // of logs, for memberships that are behind
	missed  atomic.Int64 // messages that listeners did not get
	trimmed atomic.Int64 // messages that were trimmed before a receiver had them
	gaps    atomic.Int64 // times that this happened to a receiver
	watch   claimWatch

	claimsEnded   atomic.Int64
	rejections    rejections
	undeliverable atomic.Int64 // messages that were given up for a device, or could not be encoded
}

// NewHub returns a running hub; nil options are the defaults. It panics on a
// ShutdownCode that is not one of the two, and on a KeepRule that cannot be used.
// [Hub.Close] frees it.
func NewHub(options *Options) *Hub {
	opts := options.withDefaults()
	return newHub(opts, opts.socketConfig())
}

func newHub(opts Options, cfg socket.Config) *Hub {
	h := &Hub{opts: opts, log: opts.Logger, table: newTable(), closing: make(chan struct{})}
	var err error
	if h.keep, err = compileKeep(opts.Keep); err != nil {
		panic(err.Error())
	}
	h.cut, h.cutOff = context.WithCancel(context.Background())
	h.flight, h.flights = newInFlight(h, programShare*opts.Limits.SendsInFlight), flights(h)
	if opts.Compression {
		h.codec = deflate.NewCodec(runtime.GOMAXPROCS(0))
	}
	h.budget = socket.NewBudget(opts.Limits.UnfinishedBytes)
	cfg.Budget = h.budget
	h.engine = socket.NewEngine(cfg)
	h.watch.hub = h
	h.link = opts.Layer.Attach(local{h})
	return h
}

// shutdownReason is the reason in the close frames of Hub.Close.
const shutdownReason = "server is shutting down"

// Online reports whether the user has a connection, here or at another hub of
// the layer.
func (h *Hub) Online(ctx context.Context, user string) (bool, error) {
	if err := checkName(user); err != nil {
		return false, err
	}
	return h.link.Online(ctx, User(user))
}

// Stats counts what a hub did since it started.
type Stats struct {
	Connections  int   // now, with those in their handshake and in Disconnect
	SlowDropped  int64 // messages dropped at connections that read too slowly
	SlowClosed   int64 // connections closed because they read too slowly
	DeadClosed   int64 // connections ended because they did not answer pings
	ListenMissed int64 // messages dropped at listeners that were too slow; only such as are not kept
	Trimmed      int64 // kept messages that were trimmed before a connection or a listener had them, counted for each; see [Missed]
	Gaps         int64 // times that a connection or a listener could not go on in a log for that, or because the log is another one
	Unfinished   int64 // bytes that unfinished messages hold now: see [Limits.UnfinishedBytes]
	NoRoom       int64 // unfinished messages that were ended, as there was no room
	ClaimsEnded  int64 // times that a receiver made no progress for [Limits.ClaimTimeout]

	// Undeliverable counts messages that an Encoder could not encode, or made invalid
	// text of, once for each Handler; and kept messages that were given up for a
	// device, since its client ended several connections with each.
	Undeliverable int64
}

// Stats returns the counters of this hub.
func (h *Hub) Stats() Stats {
	s := h.engine.Stats()
	unfinished, noRoom := h.budget.Stats()
	return Stats{
		Connections:   h.live.count(),
		SlowDropped:   s.Dropped.Load(),
		SlowClosed:    s.SlowClosed.Load(),
		DeadClosed:    s.DeadClosed.Load(),
		ListenMissed:  h.missed.Load(),
		Trimmed:       h.trimmed.Load(),
		Gaps:          h.gaps.Load(),
		Unfinished:    unfinished,
		NoRoom:        noRoom,
		ClaimsEnded:   h.claimsEnded.Load(),
		Undeliverable: h.undeliverable.Load(),
	}
}

// Health returns nil while messages can be kept, or why they cannot: what is sent
// to kept addresses is refused then. It does not wait.
func (h *Hub) Health() error { return h.link.Health() }

// Close ends the hub: new connections are refused with 503, each open one is
// closed with [Options.ShutdownCode], and Close waits until all consumers have
// returned from Disconnect, and then until all kept messages that were sent are
// safe: what is sent from then on returns ErrClosed. When ctx ends before, what is
// left is cut off, its contexts are cancelled, and the error says how many
// connections and messages that were; what the layer still has to say of those
// messages their dones are told later. Close returns within a second of ctx's end,
// also where an Encode or a call of the layer does not: the error says so, and the
// rest ends once that returns. A second Close returns ErrClosed.
func (h *Hub) Close(ctx context.Context) error {
	idle, ok := h.live.close()
	if !ok {
		return ErrClosed
	}
	close(h.closing)
	var errs []error
	if err := h.engine.CloseAll(ctx, uint16(h.opts.ShutdownCode), shutdownReason); err != nil {
		errs = append(errs, fmt.Errorf("parley: an event loop took no close frames: %w", err))
	}
	if !ends(ctx, idle) {
		errs = append(errs, fmt.Errorf("parley: %d connections were left: %w", h.live.count(), context.Cause(ctx)))
	}
	safe, _ := h.keeping.close()
	allSafe := ends(ctx, safe)
	if !allSafe {
		errs = append(errs, fmt.Errorf("parley: %d messages were not known to be safe: %w", h.keeping.count(), context.Cause(ctx)))
	}
	h.cutOff()
	h.watch.close()
	return errors.Join(append(errs, h.closeRest(ctx, allSafe))...)
}

// closeGrace is the time that the rest has once ctx ended: nothing of it waits for
// anybody but an Encode, and calls of the layer.
const closeGrace = time.Second

// closeRest ends the engine, those who read logs, and the link. The link waits for
// messages that are not safe yet.
func (h *Hub) closeRest(ctx context.Context, allSafe bool) error {
	over, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(closeGrace, cancel)
	})()
	ended := make(chan error)
	tell := func(err error) {
		select {
		case ended <- err:
		case <-over.Done():
			if err != nil {
				h.log.Error("parley: the layer's link did not close", "err", err)
			}
		}
	}
	go func() {
		h.engine.Close()
		h.readers.close()
		h.runners.close()
		if !allSafe { // there is no more time for them
			tell(nil)
		}
		tell(h.link.Close())
	}()
	select {
	case err := <-ended:
		return err
	case <-over.Done():
		return fmt.Errorf("parley: %d readers of logs were left, as an Encode or a call of the layer did not return: %w", h.readers.count(), context.Cause(ctx))
	}
}

// ends waits for the end of what is over when the channel is closed, or of ctx.
func ends(ctx context.Context, over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	case <-ctx.Done():
	}
	select {
	case <-over: // at the same time
		return true
	default:
		return false
	}
}
