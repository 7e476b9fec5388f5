package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rt/parley/internal/crash/history"
)

// run is what everybody of a run knows.
type run struct {
	cfg   Config
	world *world
	node  *node
	began time.Time
	fail  context.CancelCauseFunc // ends the run

	stopping chan struct{} // closed when nobody sends anything new
	ending   chan struct{} // closed when all receivers are to get what they lack

	joined sync.WaitGroup // receivers that did not join for the first time yet

	accepted, delivered, connections, retries atomic.Int64
	progress                                  chan struct{} // a hint that accepted grew

	// Of the goroutine that plays.
	kills, restores int
	lives           []history.Life
	backedUp        time.Duration // when the newest backup was begun
}

// Run does a run. Its error is about what kept it from its end, which may be the
// server's fault too: one that ended by itself, or did not answer.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	r := &run{
		cfg: cfg, world: newWorld(&cfg), began: time.Now(), fail: fail,
		stopping: make(chan struct{}), ending: make(chan struct{}), progress: make(chan struct{}, 1),
	}
	var err error
	if r.node, err = newNode(cfg, filepath.Join(cfg.Dir, "data"), fail); err != nil {
		return nil, err
	}
	defer r.node.close()
	if err := r.node.start(); err != nil {
		return nil, err
	}
	report := r.play(ctx)
	return report, context.Cause(ctx)
}

// play is the run from the first start on.
func (r *run) play(ctx context.Context) *Report {
	receivers := r.newReceivers()
	patient, cut := context.WithCancel(ctx)
	defer cut()
	var receiving sync.WaitGroup
	for _, v := range receivers {
		receiving.Go(func() { v.receive(patient) })
	}
	r.begin(ctx)

	senders := r.newSenders()
	var sending sync.WaitGroup
	for _, s := range senders {
		sending.Go(func() { s.send(ctx) })
	}
	r.chaos(ctx)
	close(r.stopping)
	sending.Wait()
	last := r.newCloser()
	last.send(ctx)

	// Whoever was live is to go on after the last kill as well.
	r.kill()
	r.start(ctx)
	close(r.ending)
	defer time.AfterFunc(r.cfg.Patience, cut).Stop()
	receiving.Wait()
	return r.report(append(senders, last), receivers)
}

// begin waits until every receiver is a member, so that it is to get all.
func (r *run) begin(ctx context.Context) {
	r.live(ctx, 0)
	all := make(chan struct{})
	go func() {
		r.joined.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-ctx.Done():
	}
}

func (r *run) report(senders []*sender, receivers []*receiver) *Report {
	report := &Report{
		History: history.History{Lives: r.lives},
		Kills:   r.kills, Restores: r.restores, Accepted: r.accepted.Load(),
		Delivered: r.delivered.Load(), Connections: r.connections.Load(), Retries: r.retries.Load(),
	}
	for _, s := range senders {
		report.History.Sends = append(report.History.Sends, s.sends...)
	}
	r.place(senders, receivers)
	for _, v := range receivers {
		if !v.done() {
			report.Unfinished = append(report.Unfinished, v.String())
		}
		for _, m := range v.members {
			report.History.Views = append(report.History.Views, m.View)
		}
	}
	report.Repeats = r.repeats(receivers)
	return report
}

// failf ends the run.
func (r *run) failf(format string, args ...any) { r.fail(fmt.Errorf(format, args...)) }

// at returns how long the run has gone on.
func (r *run) at() time.Duration { return time.Since(r.began) }

// random returns a source of chance for one of the run's goroutines.
func (r *run) random(of uint64) *rand.Rand { return rand.New(rand.NewPCG(r.cfg.Seed, of)) }

// rest waits, and is woken by a channel or the end of ctx.
func rest(ctx context.Context, d time.Duration, woken <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-woken:
	case <-ctx.Done():
	}
}

// upTo returns a random duration.
func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
