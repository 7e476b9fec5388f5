package parley_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parley-rt/parley"
)

// ailing is a layer that cannot be read while the test says so.
type ailing struct {
	parley.Layer
	why   atomic.Pointer[error]
	asked atomic.Int64 // pages that could not be read
}

type ailingLink struct {
	parley.Link
	by *ailing
}

func newAiling() *ailing { return &ailing{Layer: parley.NewMemoryLayer()} }

func (a *ailing) Attach(local parley.Local) parley.Link { return &ailingLink{a.Layer.Attach(local), a} }

// ails sets what reading returns, nil if it works.
func (a *ailing) ails(why error) {
	if why == nil {
		a.why.Store(nil)
	} else {
		a.why.Store(&why)
	}
}

func (a *ailing) err() error {
	if why := a.why.Load(); why != nil {
		return *why
	}
	return nil
}

func (l *ailingLink) Head(ctx context.Context, of parley.Address) (parley.Cursor, error) {
	if err := l.by.err(); err != nil {
		return parley.Cursor{}, err
	}
	return l.Link.Head(ctx, of)
}

func (l *ailingLink) ReadAfter(ctx context.Context, of parley.Address, after parley.Cursor, limit parley.PageLimit) (parley.Page, error) {
	if err := l.by.err(); err != nil {
		l.by.asked.Add(1)
		return parley.Page{}, err
	}
	return l.Link.ReadAfter(ctx, of, after, limit)
}

// outages are what a layer may return that cannot be read, with the close code of
// each.
var outages = map[string]struct {
	err  error
	code string
}{
	"unavailable": {&parley.Error{Code: parley.Unavailable, Message: "the disk is full"}, "close 1013"},
	"its own":     {errors.New("made by the test"), "close 1011"},
}

// TestJoinOfAnAilingLayer has logs that cannot be read: within Connect the connection
// is closed, afterwards Identify and Join return the error, the connection is
// nobody's, and can try again.
func TestJoinOfAnAilingLayer(t *testing.T) {
	t.Parallel()
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, unlike, func(t *testing.T, k kind) {
				layer := newAiling()
				hub := k.hub(t, &parley.Options{Layer: layer, Keep: keepAll()})
				m := newMail(t, k, hub, nil)
				conns := make(chan *parley.Conn, 1)
				w := m.connects(t, func(c *parley.Conn) error { conns <- c; return nil })
				c := await(t, conns, "Connect")
				keep(t, hub, bob, 0, 1)
				layer.ails(outage.err)
				m.as(t, "bob", nil).expect(outage.code)
				m.in(t, parley.Group("g"), nil).expect(outage.code)
				for range 2 {
					if err := c.Identify("bob", nil); !errors.Is(err, outage.err) || c.User() != "" {
						t.Errorf("Identify returned %v, and the user is %q", err, c.User())
					}
					if err := c.Join(parley.Everyone, nil); !errors.Is(err, outage.err) {
						t.Errorf("Join returned %v", err)
					}
				}
				layer.ails(nil)
				if err := c.Identify("bob", nil); err != nil || c.User() != "bob" {
					t.Errorf("Identify returned %v, and the user is %q", err, c.User())
				}
				w.numbers(0, 1)
				w.acknowledge()
			})
		})
	}
}

// TestAilingWhileReading has a layer fail for a while that connections read: it is
// said once, and nothing is lost.
func TestAilingWhileReading(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		var said strings.Builder
		layer := newAiling()
		opts := &parley.Options{Layer: layer, Logger: textLogger(&said), Limits: parley.Limits{CloseTimeout: patience / 1000}} // a beat of 5 ms
		hub := k.hub(t, opts)
		m := newMail(t, k, hub, nil)
		keep(t, hub, bob, 0, 700)
		opts2, joined := joins(parley.JoinOptions{})
		began := opts2.Joined
		opts2.Joined = func(at parley.Cursor, missed bool) {
			layer.ails(outages["unavailable"].err)
			began(at, missed)
		}
		w := m.as(t, "bob", opts2)
		await(t, joined, "Joined")
		for layer.asked.Load() < 3 {
			runtime.Gosched()
		}
		keep(t, hub, bob, 700, 800)
		layer.ails(nil)
		w.numbers(0, 800)
		w.acknowledge()
		hubCloses(t, hub)
		if n := strings.Count(said.String(), "cannot be read"); n != 1 {
			t.Errorf("it was said %d times:\n%s", n, said.String())
		}
	})
}
