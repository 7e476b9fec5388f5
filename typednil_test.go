package parley_test

import (
	"context"
	"errors"
	"testing"

	"github.com/parley-rt/parley"
)

// valid returns an *Error that is nil, as a function does that validates.
func valid() *parley.Error { return nil }

// TestTypedNil has each call of the program's return a nil *Error: it is no error.
func TestTypedNil(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, func(t *testing.T, k kind) {
		hub := k.hub(t, nil)
		called := make(chan string, 4)
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			return deliverer{
				consumer: consumer{
					connect: func(c *parley.Conn) error {
						if err := c.Join(g, nil); err != nil {
							return err
						}
						return valid()
					},
					receive: func(c *parley.Conn, m parley.Message) error {
						called <- string(m.Data)
						if string(m.Data) == "reply" {
							return parley.ReplyError(c, valid())
						}
						return valid()
					},
				},
				deliver: func(*parley.Conn, parley.Message) error { called <- "Deliver"; return valid() },
			}
		})
		w := s.open(t)
		w.send(text("a"), text("reply"))
		for _, want := range []string{"a", "reply", "Deliver", "z"} {
			switch want {
			case "Deliver":
				if err := hub.Send(t.Context(), g, parley.Text("b")); err != nil {
					t.Fatal(err)
				}
			case "z":
				w.send(text("z"))
			}
			if got := await(t, called, want); got != want {
				t.Errorf("%s was called, want %s", got, want)
			}
		}
		w.quiet()
	})
}

// nilEncoder is an Encoder whose error is a nil *Error.
type nilEncoder struct{ consumer }

func (nilEncoder) Encode(m parley.Message) (parley.Message, error) { return m, valid() }

// TestTypedNilEncoded has Encode return a nil *Error, of live messages, of those that are
// read from a log, and of replies.
func TestTypedNilEncoded(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Keep: keepAll()})
	m := newMail(t, engines[0], hub, func(c consumer) parley.Consumer {
		c.receive = func(c *parley.Conn, m parley.Message) error { return c.Reply(m) }
		return nilEncoder{c}
	})
	keep(t, hub, bob, 0, 2)
	w := m.as(t, "bob", nil)
	w.numbers(0, 2)
	keep(t, hub, bob, 2, 3)
	w.numbers(2, 3)
	w.send(text("reply"))
	w.expectMessage(`text "reply"`)
}

// TestTypedNilJSON has the function of a JSON consumer return a nil *Error: nothing is
// answered.
func TestTypedNilJSON(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	received := make(chan int, 2)
	s := newSite(t, "tcp", hub, func() parley.Consumer {
		return parley.JSON(func(_ *parley.Conn, n int) error { received <- n; return valid() })
	})
	w := s.open(t)
	w.send(text("1"), text("2"))
	for range 2 {
		await(t, received, "a message")
	}
	w.quiet()
}

// TestTypedNilListen has the function of a listener return a nil *Error, of live
// messages and of those that are read: it hears the next one.
func TestTypedNilListen(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Keep: keepAll()})
	places := keep(t, hub, g, 0, 3)
	heard := make(chan string, 4)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- hub.Listen(ctx, g, &parley.ListenOptions{After: places[0]}, func(m parley.Message) error {
			heard <- string(m.Data)
			return valid()
		})
	}()
	for _, want := range []string{"1", "2"} {
		if got := await(t, heard, want); got != want {
			t.Errorf("heard %s, want %s", got, want)
		}
	}
	keep(t, hub, g, 3, 5)
	for _, want := range []string{"3", "4"} {
		if got := await(t, heard, want); got != want {
			t.Errorf("heard %s, want %s", got, want)
		}
	}
	cancel()
	if err := await(t, ended, "Listen"); !errors.Is(err, context.Canceled) {
		t.Errorf("Listen returned %v", err)
	}
}
