package parley_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/parley-rt/parley"
)

// stingy is a layer that hands a kept message to no hub that is not subscribed when
// it is safe, and to others some time after it can be read.
type stingy struct{ parley.Layer }

type stingyLocal struct {
	parley.Local
	handed chan parley.Envelope
	ended  chan struct{}

	mu   sync.Mutex // guards subs
	subs map[parley.Address]int
}

type stingyLink struct {
	parley.Link
	local *stingyLocal
}

func (s stingy) Attach(local parley.Local) parley.Link {
	l := &stingyLocal{Local: local, handed: make(chan parley.Envelope, 1000), ended: make(chan struct{}), subs: make(map[parley.Address]int)}
	go l.run()
	return &stingyLink{s.Layer.Attach(l), l}
}

func (l *stingyLocal) run() {
	defer close(l.ended)
	for e := range l.handed {
		for range e.Cursor.Seq % 50 {
			runtime.Gosched()
		}
		_ = l.Local.Deliver(context.Background(), e)
	}
}

func (l *stingyLocal) Deliver(ctx context.Context, e parley.Envelope) error {
	switch {
	case e.Cursor.IsZero():
		return l.Local.Deliver(ctx, e)
	case l.subscribed(e.To, 0):
		l.handed <- e
	}
	return nil
}

// subscribed counts subscriptions, and reports whether there are any.
func (l *stingyLocal) subscribed(to parley.Address, more int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subs[to] += more
	return l.subs[to] > 0
}

func (l *stingyLink) Subscribe(ctx context.Context, to parley.Address) error {
	l.local.subscribed(to, +1)
	return l.Link.Subscribe(ctx, to)
}

func (l *stingyLink) Unsubscribe(to parley.Address) { l.local.subscribed(to, -1) }

func (l *stingyLink) Close() error {
	err := l.Link.Close()
	close(l.local.handed)
	<-l.local.ended
	return err
}

// receiver is what one connection, or one listener, gets behind a place.
type receiver struct {
	mu      sync.Mutex // guards what follows
	changed chan struct{}
	got     []parley.Cursor
}

func newReceiver() *receiver { return &receiver{changed: make(chan struct{})} }

func (r *receiver) add(at parley.Cursor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, at)
	close(r.changed)
	r.changed = make(chan struct{})
}

// gets waits until all that is wanted came, and nothing else behind the place.
func (r *receiver) gets(t *testing.T, begin parley.Cursor, log []parley.Cursor) {
	t.Helper()
	for {
		r.mu.Lock()
		changed := r.changed
		behind := func(c parley.Cursor) bool { return c.Seq <= begin.Seq }
		got, want := slices.DeleteFunc(slices.Clone(r.got), behind), slices.DeleteFunc(slices.Clone(log), behind)
		r.mu.Unlock()
		if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			t.Fatalf("behind %v there came %v, want %v", begin, got, want)
		}
		if len(got) == len(want) {
			return
		}
		await(t, changed, "the next message")
	}
}

// noting is a Deliverer that notes what it is given.
type noting struct {
	consumer
	to *receiver
}

func (n noting) Deliver(_ *parley.Conn, m parley.Message) error {
	n.to.add(m.Cursor)
	return nil
}

// TestNothingIsMissingInTheEnd has connections leave and join, and listeners begin,
// while messages are on their way: when all calls have returned and nobody sends any
// more, all have what is behind the place where they began.
func TestNothingIsMissingInTheEnd(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		const rounds, conns, listeners, senders, burst = 150, 4, 2, 3, 3
		hub := k.hub(t, &parley.Options{
			Layer: stingy{parley.NewMemoryLayer()}, Keep: []parley.KeepRule{{Pattern: "group:*", Messages: 1 << 20}},
			Limits: parley.Limits{MailboxBytes: 1, DeliverQueue: 2},
		})
		opened := make(chan *parley.Conn, 1)
		receivers := make([]*receiver, conns)
		joined := make([]*parley.Conn, conns)
		for i := range conns {
			receivers[i] = newReceiver()
			s := newSite(t, k.transport, hub, func() parley.Consumer {
				return noting{consumer{connect: func(c *parley.Conn) error { opened <- c; return nil }}, receivers[i]}
			})
			s.open(t)
			joined[i] = await(t, opened, "Connect")
		}
		var log []parley.Cursor
		for range rounds {
			done, results := collect(senders * burst)
			var calls sync.WaitGroup
			for range senders {
				calls.Go(func() {
					for range burst {
						hub.SendAsync(g, parley.Text("data"), done)
					}
				})
			}
			places := make([]parley.Cursor, conns)
			for i, c := range joined {
				calls.Go(func() {
					c.Leave(g)
					err := c.Join(g, &parley.JoinOptions{Joined: func(at parley.Cursor, _ bool) { places[i] = at }})
					if err != nil {
						t.Error(err)
					}
				})
			}
			begin := parley.Cursor{Epoch: 1}
			if len(log) > 0 {
				begin = log[len(log)-1]
			}
			ctx, stop := context.WithCancelCause(t.Context())
			heard := make([]*receiver, listeners)
			var listening sync.WaitGroup
			for i := range heard {
				heard[i] = newReceiver()
				listening.Go(func() {
					err := hub.Listen(ctx, g, &parley.ListenOptions{After: begin, Queue: 1}, func(m parley.Message) error {
						heard[i].add(m.Cursor)
						return nil
					})
					if !errors.Is(err, errEnough) {
						t.Error(err)
					}
				})
			}
			calls.Wait()
			for range senders * burst {
				r := await(t, results, "done")
				if r.err != nil {
					t.Fatal(r.err)
				}
				log = append(log, r.Cursor)
			}
			slices.SortFunc(log, func(a, b parley.Cursor) int { return int(a.Seq) - int(b.Seq) })
			for i, r := range receivers {
				r.gets(t, places[i], log)
			}
			for _, r := range heard {
				r.gets(t, begin, log)
			}
			stop(errEnough)
			listening.Wait()
		}
	})
}
