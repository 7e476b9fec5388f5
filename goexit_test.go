package parley_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestGoexit ends the goroutine of a call, as testing.T.FailNow does: it is to
// its own connection as a panic is, and the hub can still be closed.
func TestGoexit(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"Receive", "Deliver", "Disconnect"} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			onAll(t, kinds, func(t *testing.T, k kind) { goexit(t, k, in) })
		})
	}
}

func goexit(t *testing.T, k kind, in string) {
	hub := k.hub(t, nil)
	lobby := parley.Group("lobby")
	ended := make(chan parley.CloseCode, 1)
	exit := func(call string) error {
		if call == in {
			runtime.Goexit()
		}
		return nil
	}
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		return deliverer{
			consumer: consumer{
				connect: func(c *parley.Conn) error { return c.Join(lobby, nil) },
				receive: func(*parley.Conn, parley.Message) error { return exit("Receive") },
				disconnect: func(_ *parley.Conn, code parley.CloseCode) {
					ended <- code
					_ = exit("Disconnect")
				},
			},
			deliver: func(*parley.Conn, parley.Message) error { return exit("Deliver") },
		}
	})
	w := s.open(t)
	want := parley.CloseInternalError
	switch in {
	case "Receive":
		w.send(text("a"), text("b"))
	case "Deliver":
		if err := hub.Send(t.Context(), lobby, parley.Text("a")); err != nil {
			t.Fatal(err)
		}
	case "Disconnect":
		want = parley.CloseNormal
		w.send(closing(1000, ""))
	}
	if in != "Disconnect" {
		w.expect("close 1011")
		w.send(closing(1011, ""))
	}
	if got := await(t, ended, "Disconnect"); got != want {
		t.Errorf("Disconnect got %v, want %v", got, want)
	}
	if err := hub.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestGoexitInConnect ends the goroutine of the handshake.
func TestGoexitInConnect(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	s := newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{connect: func(*parley.Conn) error { runtime.Goexit(); return nil }}
	})
	w := s.connect(t)
	w.send(handshake)
	if _, err := w.r.ReadByte(); err == nil {
		t.Error("the handshake is answered")
	}
	if err := hub.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestContextsEndAtDeadline closes a hub whose consumers wait for their
// connections' contexts: in Connect, in Receive of a connection that is open,
// in Receive of one that was lost before, and in Disconnect.
func TestContextsEndAtDeadline(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, contextsEndAtDeadline)
}

func contextsEndAtDeadline(t *testing.T, k kind) {
	hub := k.hub(t, &parley.Options{Limits: parley.Limits{CloseTimeout: time.Hour, HandshakeTimeout: time.Hour}})
	waiting, ended := make(chan string), make(chan string)
	wait := func(where string, c *parley.Conn) {
		ctx := c.Context()
		waiting <- where
		<-ctx.Done()
		ended <- where
	}
	lost := make(chan *parley.Conn, 1)
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		where := ""
		return consumer{
			connect: func(c *parley.Conn) error {
				if where = c.Request().Header.Get("X-Wait"); where == "connect" {
					wait(where, c)
				}
				return nil
			},
			receive: func(c *parley.Conn, _ parley.Message) error {
				if where == "lost" {
					lost <- c
				}
				wait(where, c)
				return nil
			},
			disconnect: func(c *parley.Conn, _ parley.CloseCode) {
				if where == "disconnect" {
					wait(where, c)
				}
			},
		}
	})
	const cases = 4
	for _, where := range []string{"connect", "open", "lost", "disconnect"} {
		w := s.connect(t)
		w.send(handshake[:len(handshake)-2], "X-Wait: ", where, "\r\n\r\n")
		switch where {
		case "open", "lost":
			w.accepted()
			w.send(text("a"))
		case "disconnect":
			w.accepted()
			reset(t, w)
		}
		if got := await(t, waiting, where); got != where {
			t.Fatalf("%s waits, want %s", got, where)
		}
		if where == "lost" {
			reset(t, w)
			c := await(t, lost, "the lost connection")
			for c.Reply(parley.Text("a")) == nil { // until it is known to be lost
				runtime.Gosched()
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := hub.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close returned %v", err)
	}
	for range cases {
		await(t, ended, "a context")
	}
}
