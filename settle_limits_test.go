package parley_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// refuses has Connect make calls of a hub with tiny limits, and refuse the connection.
func refuses(t *testing.T, limits parley.Limits, calls func(c *parley.Conn)) {
	t.Helper()
	hub := newHub(t, &parley.Options{Limits: limits})
	s := newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error {
			calls(c)
			return &parley.Error{Code: parley.Forbidden, Message: "no"}
		}}
	})
	w := s.connect(t)
	w.send(s.handshake())
	if got := w.response().StatusCode; got != 403 {
		t.Errorf("got status %d, want 403", got)
	}
}

// TestSettleLimitOfIdentify has Identify refused within Connect: the connection is
// nobody's.
func TestSettleLimitOfIdentify(t *testing.T) {
	t.Parallel()
	refuses(t, parley.Limits{Memberships: 1}, func(c *parley.Conn) {
		if err := c.Join(g, nil); err != nil {
			t.Error(err)
		}
		if err := c.Identify("bob", nil); codeOf(err) != parley.TooLarge || c.User() != "" {
			t.Errorf("Identify returned %v, and the user is %q", err, c.User())
		}
		c.Leave(g)
	})
}

// TestSettleFillsTheQueue has Connect reply as much as it may: one message of any size,
// or SendQueueBytes in many. All of it arrives.
func TestSettleFillsTheQueue(t *testing.T) {
	t.Parallel()
	const queue, cost = 10_000, 64 + 2
	for name, size := range map[string]int{"one of any size": 3 * queue, "many": 100 - cost} {
		for _, slow := range []parley.SlowReader{parley.CloseSlow, parley.DropSlow} {
			t.Run(fmt.Sprint(name, slow), func(t *testing.T) {
				t.Parallel()
				onAll(t, kinds, func(t *testing.T, k kind) {
					hub := k.hub(t, &parley.Options{SlowReader: slow, Limits: parley.Limits{SendQueueBytes: queue}})
					sent := 0
					w := newMail(t, k, hub, nil).connects(t, func(c *parley.Conn) error {
						err := c.Send(t.Context(), bob, parley.Text("of another bound"))
						for err == nil {
							if err = c.Reply(parley.Text(long(size))); err == nil {
								sent++
							}
						}
						if codeOf(err) != parley.Unavailable {
							t.Errorf("Reply returned %v", err)
						}
						return nil
					})
					if want := max(1, queue/(size+cost)); sent != want {
						t.Errorf("%d replies were put off, want %d", sent, want)
					}
					for range sent {
						w.expectMessage(inWords(opText, []byte(long(size))))
					}
					w.quiet()
				})
			})
		}
	}
}

// TestSettleOfALostConnection ends a connection before it is accepted: what was put off
// has no effect any more, and says so.
func TestSettleOfALostConnection(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		layer, appended := recording()
		hub := k.hub(t, &parley.Options{Layer: layer, Keep: keepAll(), Limits: parley.Limits{CloseTimeout: 50 * time.Millisecond}})
		m := newMail(t, k, hub, nil)
		joined, goOn := make(chan *parley.Conn, 1), make(chan struct{})
		done, results := collect(10)
		late := &parley.JoinOptions{Joined: func(parley.Cursor, bool) { t.Error("an address was joined") }}
		m.next <- func(c *parley.Conn) error {
			err := c.Join(g, &parley.JoinOptions{Joined: func(parley.Cursor, bool) { joined <- c; <-goOn }})
			c.SendAsync(g, parley.Text("a"), done)
			return errors.Join(err, c.Send(t.Context(), g, parley.Text("b")), c.Join(parley.Everyone, late))
		}
		w := m.connect(t)
		w.send(m.handshake())
		c := await(t, joined, "Joined")
		closed := make(chan error, 1)
		go func() { closed <- hub.Close(context.Background()) }()
		until(t, "the engine is done with it", func() bool { return c.Reply(parley.Text("")) == parley.ErrClosed })
		if err := c.Join(parley.Everyone, nil); err != parley.ErrClosed {
			t.Errorf("Join returned %v", err)
		}
		c.SendAsync(g, parley.Text("c"), done)
		if r := await(t, results, "done of what is too late"); r.err != parley.ErrClosed {
			t.Errorf("done got %+v", r)
		}
		close(goOn)
		if r := await(t, results, "done"); r.err != parley.ErrClosed {
			t.Errorf("done got %+v", r)
		}
		if err := await(t, closed, "Close"); err != nil {
			t.Error(err)
		}
		if n := len(appended); n > 0 {
			t.Errorf("%d messages were sent", n)
		}
	})
}

// TestSettleFullIsNoFaultOfOthers has a consumer reply to a connection that is within
// Connect and for which too much waits already: the consumer learns it, and its own
// connection goes on.
func TestSettleFullIsNoFaultOfOthers(t *testing.T) {
	t.Parallel()
	for _, slow := range []parley.SlowReader{parley.CloseSlow, parley.DropSlow} {
		onAll(t, engines, func(t *testing.T, k kind) {
			hub := k.hub(t, &parley.Options{SlowReader: slow, Limits: parley.Limits{SendQueueBytes: 1}})
			connecting, goOn, replied := make(chan *parley.Conn, 1), make(chan struct{}), make(chan error, 2)
			accept := sync.OnceFunc(func() { close(goOn) })
			defer accept()
			var other *parley.Conn
			m := newMail(t, k, hub, func(c consumer) parley.Consumer {
				c.receive = func(_ *parley.Conn, m parley.Message) error {
					err := other.Reply(m)
					replied <- err
					return err
				}
				return c
			})
			w := m.connects(t, func(*parley.Conn) error { return nil })
			m.next <- func(c *parley.Conn) error {
				err := c.Reply(parley.Text("first"))
				connecting <- c
				<-goOn
				return err
			}
			late := m.connect(t)
			late.send(m.handshake())
			other = await(t, connecting, "Connect")
			for _, s := range []string{"too much", "too much again"} {
				w.send(text(s))
				if err := await(t, replied, "the reply"); codeOf(err) != parley.Unavailable {
					t.Errorf("Reply returned %v", err)
				}
			}
			accept()
			late.accepted()
			late.expectMessage(`text "first"`)
			late.quiet()
			w.quiet()
		})
	}
}
