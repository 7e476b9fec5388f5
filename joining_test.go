package parley_test

import (
	"errors"
	"testing"

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
