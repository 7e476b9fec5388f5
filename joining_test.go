package parley_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestJoinAgainWaits has two goroutines ask for the same join, which fails: both are
// told. The next one succeeds.
func TestJoinAgainWaits(t *testing.T) {
	t.Parallel()
	why := &parley.Error{Code: parley.Unavailable, Message: "made by the test"}
	for name, join := range map[string]func(c *parley.Conn) error{
		"Identify": func(c *parley.Conn) error { return c.Identify("bob", nil) },
		"Join":     func(c *parley.Conn) error { return c.Join(parley.Group("g"), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, engines, func(t *testing.T, k kind) {
				ailing := newAiling()
				ailing.ails(why)
				layer := &hangs{Layer: ailing, call: "Subscribe", goOn: make(chan struct{}), called: make(chan struct{}, 1)}
				hub := k.hub(t, &parley.Options{Layer: layer, Keep: keepAll()})
				conns := make(chan *parley.Conn, 1)
				m := newMail(t, k, hub, nil)
				m.connects(t, func(c *parley.Conn) error { conns <- c; return nil }).quiet()
				c := await(t, conns, "Connect")
				results := make(chan error, 3)
				go func() { results <- join(c) }()
				await(t, layer.called, "the first join")
				for range 2 {
					go func() { results <- join(c) }()
				}
				close(layer.goOn)
				for range 3 {
					if err := await(t, results, "a join"); !errors.Is(err, why) {
						t.Errorf("a join that failed returned %v", err)
					}
				}
				ailing.ails(nil)
				for range 2 {
					if err := join(c); err != nil {
						t.Errorf("with the layer well again it returned %v", err)
					}
				}
			})
		})
	}
}

// TestJoinAgainWithinJoined asks for the same join in Joined: it does not wait for
// itself.
func TestJoinAgainWithinJoined(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Keep: keepAll()})
		conns, told := make(chan *parley.Conn, 1), make(chan error, 2)
		m := newMail(t, k, hub, nil)
		m.connects(t, func(c *parley.Conn) error { conns <- c; return nil }).quiet()
		c := await(t, conns, "Connect")
		g := parley.Group("g")
		err := errors.Join(
			c.Join(g, &parley.JoinOptions{Joined: func(parley.Cursor, bool) { told <- c.Join(g, nil) }}),
			c.Identify("bob", &parley.JoinOptions{Joined: func(parley.Cursor, bool) { told <- c.Identify("bob", nil) }}),
		)
		if err := errors.Join(err, await(t, told, "Join"), await(t, told, "Identify")); err != nil {
			t.Error(err)
		}
	})
}

// TestOwnAddressIsBeyondTheLimit has a connection with as many memberships as it may
// have be asked for its address: it can be reached there.
func TestOwnAddressIsBeyondTheLimit(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Limits: parley.Limits{Memberships: 2}})
		for _, within := range []bool{true, false} {
			own := make(chan parley.Address, 1)
			fill := func(c *parley.Conn) error {
				err := errors.Join(c.Join(parley.Group("a"), nil), c.Join(parley.Group("b"), nil))
				own <- c.Address()
				if full := c.Join(parley.Group("c"), nil); !hasCode(full, parley.TooLarge) {
					t.Errorf("one membership too many: %v", full)
				}
				return err
			}
			s := newSite(t, k.transport, hub, func() parley.Consumer {
				if within {
					return consumer{connect: fill}
				}
				return consumer{receive: func(c *parley.Conn, _ parley.Message) error { return fill(c) }}
			})
			w := s.open(t)
			if !within {
				w.send(text("fill"))
			}
			to := await(t, own, "the address")
			w.quiet()
			if err := hub.Send(t.Context(), to, parley.Text("hello")); err != nil {
				t.Fatal(err)
			}
			w.expectMessage(`text "hello"`)
		}
	})
}

// TestJoinAgainEndsWithTheConnection has the layer hang in a join that another call
// waits for, on the goroutine that handles the connection: it ends with the connection.
func TestJoinAgainEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	for name, join := range map[string]func(c *parley.Conn) error{
		"Identify": func(c *parley.Conn) error { return c.Identify("bob", nil) },
		"Join":     func(c *parley.Conn) error { return c.Join(parley.Group("g"), nil) },
		"Address":  func(c *parley.Conn) error { c.Address(); return parley.ErrClosed },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, engines, func(t *testing.T, k kind) {
				layer := &hangs{Layer: parley.NewMemoryLayer(), call: "Subscribe", goOn: make(chan struct{}), called: make(chan struct{}, 1)}
				hub := k.hub(t, &parley.Options{Layer: layer, Limits: parley.Limits{CloseTimeout: 50 * time.Millisecond}})
				goOn := sync.OnceFunc(func() { close(layer.goOn) })
				defer goOn()
				first, second, asked := make(chan error, 1), make(chan error, 1), make(chan struct{})
				s := newSite(t, k.transport, hub, func() parley.Consumer {
					return consumer{receive: func(c *parley.Conn, _ parley.Message) error {
						go func() { first <- join(c) }()
						await(t, layer.called, "the first call")
						close(asked)
						second <- join(c)
						return nil
					}}
				})
				w := s.open(t)
				w.send(text("join"))
				await(t, asked, "the second call")
				_ = w.nc.Close()
				if err := await(t, second, "the second call's end"); err != parley.ErrClosed {
					t.Errorf("the second call returned %v", err)
				}
				goOn()
				await(t, first, "the first call's end")
				hubCloses(t, hub)
				if left := parley.Left(hub); left != "" || parley.Joining(hub) != 0 {
					t.Errorf("%s, and %d joins", left, parley.Joining(hub))
				}
			})
		})
	}
}

// TestAddressThatReachesNobody asks for the address where it is of no use. A connection
// whose interest the layer refuses is closed, which is logged once. One that is over
// takes no interest, and nothing is logged.
func TestAddressThatReachesNobody(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		var said strings.Builder
		layer := &refusing{Layer: parley.NewMemoryLayer()}
		hub := k.hub(t, &parley.Options{Layer: layer, Logger: textLogger(&said)})
		conns, over := make(chan *parley.Conn, 1), make(chan struct{})
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			return consumer{
				connect:    func(c *parley.Conn) error { conns <- c; return nil },
				disconnect: func(*parley.Conn, parley.CloseCode) { close(over) },
			}
		})
		w := s.open(t)
		c := await(t, conns, "Connect")
		w.quiet()
		layer.refuses.Store(true)
		to := c.Address()
		w.expect("close 1011")
		_ = w.nc.Close()
		await(t, over, "Disconnect")
		for _, refuses := range []bool{true, false} {
			layer.refuses.Store(refuses)
			if again := c.Address(); again != to {
				t.Errorf("the address is %v, and then %v", to, again)
			}
		}
		if err := hub.Send(t.Context(), to, parley.Text("late")); err != nil {
			t.Errorf("Send returned %v", err)
		}
		hubCloses(t, hub)
		if left := parley.Left(hub); left != "" {
			t.Error(left)
		}
		if n := strings.Count(said.String(), "made by the test"); n != 1 {
			t.Errorf("it was logged %d times:\n%s", n, said.String())
		}
	})
}

// refusing is a layer that takes no interest in an address while the test says so.
type refusing struct {
	parley.Layer
	refuses atomic.Bool
}

type refusingLink struct {
	parley.Link
	by *refusing
}

func (r *refusing) Attach(local parley.Local) parley.Link {
	return &refusingLink{r.Layer.Attach(local), r}
}

func (l *refusingLink) Subscribe(ctx context.Context, to parley.Address) error {
	if l.by.refuses.Load() {
		return errors.New("made by the test")
	}
	return l.Link.Subscribe(ctx, to)
}
