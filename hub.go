package parley

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
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
	keep   keepRules

	runners runners
	live    gate            // connections whose Connect began and whose Disconnect has not returned
	closing chan struct{}   // closed when Close begins
	cut     context.Context // parent of the connections' contexts: done when Close has waited long enough
	cutOff  context.CancelFunc
	readers readers      // of logs, for memberships that are behind
	missed  atomic.Int64 // messages that listeners did not get
	trimmed atomic.Int64 // how often a log was trimmed before a membership had read it
}

// NewHub returns a running hub; nil options are the defaults. It panics on a
// ShutdownCode that is not one of the two, and on a KeepRule that cannot be used. [Hub.Close] frees it.
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
	if opts.Compression {
		h.codec = deflate.NewCodec(runtime.GOMAXPROCS(0))
	}
	h.engine = socket.NewEngine(cfg)
	h.link = opts.Layer.Attach(local{h})
	return h
}

// shutdownReason is the reason in the close frames of Hub.Close.
const shutdownReason = "server is shutting down"

// SendOption changes how one message is sent.
type SendOption struct {
	except ConnID
	key    string
	keep   keepChoice
}

type keepChoice uint8

const (
	keepAsRuled keepChoice = iota
	keepYes
	keepNo
)

// Except leaves one connection out of the receivers. Sending with two of them is
// an error with the code [BadRequest].
func Except(c *Conn) SendOption { return SendOption{except: c.ID()} }

// Key has a message kept once only, however often it is sent: where one with the
// same key was kept before, for the same sender and address and not longer ago
// than the layer remembers (24 hours at least on disk), sending it again has the
// result of the first time. Other data under the same key is an error with the
// code [Conflict]. A key is 1 to 200 bytes; one of a message that is not kept is
// an error with the code [BadRequest]. A sender is the user of a connection, a
// connection without one, or the program.
func Key(key string) SendOption { return SendOption{key: key} }

// Keep(false) has a message to a kept address not kept, and Keep(true) one kept
// where its address' rule is Optional; where there is no rule, Keep(true) is an
// error with the code [BadRequest].
func Keep(keep bool) SendOption {
	if keep {
		return SendOption{keep: keepYes}
	}
	return SendOption{keep: keepNo}
}

// Send sends m to an address on behalf of the program. nil means that it was
// handed to the live connections and listeners here and to the layer; that an
// address has none is no error. Send waits while the event loops have more to do
// than they may hold ([Limits.MailboxBytes]), until ctx ends; the error has then
// the code [Unavailable], wraps that of ctx, and some receivers may have the
// message already. m.From stays as the caller set it.
func (h *Hub) Send(ctx context.Context, to Address, m Message, options ...SendOption) error {
	return h.send(ctx, to, m, false, options)
}

func (h *Hub) send(ctx context.Context, to Address, m Message, more bool, options []SendOption) error {
	if err := to.check(); err != nil {
		return err
	}
	if h.cut.Err() != nil {
		return ErrClosed
	}
	m.To, m.Time = to, time.Now()
	e := Envelope{Message: m, More: more}
	for _, o := range options {
		if e.Except != (ConnID{}) && e.Except != o.except {
			return &Error{BadRequest, "a message can leave out one connection only"}
		}
		e.Except = o.except
	}
	return sendError(h.link.Send(ctx, e))
}

// sendError gives an error of the way to the receivers its code.
func sendError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, socket.ErrClosed):
		return ErrClosed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w (%w)", &Error{Unavailable, "the receivers' event loops are busy"}, err)
	}
	return err
}

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
	ListenMissed int64 // messages dropped at listeners that were too slow
	Trimmed      int64 // how often a log was trimmed before a connection that was behind had read it
}

// Stats returns the counters of this hub.
func (h *Hub) Stats() Stats {
	s := h.engine.Stats()
	return Stats{
		Connections:  h.live.count(),
		SlowDropped:  s.Dropped.Load(),
		SlowClosed:   s.SlowClosed.Load(),
		DeadClosed:   s.DeadClosed.Load(),
		ListenMissed: h.missed.Load(),
		Trimmed:      h.trimmed.Load(),
	}
}

// Close ends the hub: new connections are refused with 503, each open one is
// closed with [Options.ShutdownCode], and Close waits until all consumers have
// returned from Disconnect. When ctx ends before, what is left is cut off, its
// contexts are cancelled, and the error says how many connections that were. A
// second Close returns ErrClosed.
func (h *Hub) Close(ctx context.Context) error {
	idle, ok := h.live.close()
	if !ok {
		return ErrClosed
	}
	close(h.closing)
	var left error
	err := h.engine.CloseAll(uint16(h.opts.ShutdownCode), shutdownReason)
	select {
	case <-idle:
	case <-ctx.Done():
		left = fmt.Errorf("parley: %d connections were left: %w", h.live.count(), context.Cause(ctx))
	}
	h.cutOff()
	h.engine.Close()
	h.readers.close()
	h.runners.close()
	return errors.Join(err, left, h.link.Close())
}
