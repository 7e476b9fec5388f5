package parley_test

import (
	"slices"
	"testing"

	"github.com/parley-rt/parley"
)

// TestJoinedBeforeAnswered sends to a connection as soon as its client sees the
// answer to the handshake: what Connect joined must be in force by then.
func TestJoinedBeforeAnswered(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, func(t *testing.T, k kind) {
		hub := k.hub(t, nil)
		lobby := parley.Group("lobby")
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			return consumer{connect: func(c *parley.Conn) error { return c.Join(lobby, nil) }}
		})
		for range 100 {
			w := s.open(t)
			if err := hub.Send(t.Context(), lobby, parley.Text("hello")); err != nil {
				t.Fatal(err)
			}
			if got := w.next(); got != inWords(opText, []byte("hello")) {
				t.Fatalf("got %s, want hello", got)
			}
			w.send(closing(1000, ""))
			w.next()
		}
	})
}

// TestHeldUntilAnswered sends to a connection before its handshake is answered:
// the answer must come first.
func TestHeldUntilAnswered(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, heldUntilAnswered)
}

func heldUntilAnswered(t *testing.T, k kind) {
	hub := k.hub(t, nil)
	lobby := parley.Group("lobby")
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error {
			if err := c.Join(lobby, nil); err != nil {
				return err
			}
			return c.Reply(parley.Text("welcome"))
		}}
	})
	stop := make(chan struct{})
	flood := make(chan struct{})
	go func() {
		defer close(flood)
		for {
			select {
			case <-stop:
				return
			default:
				_ = hub.Send(t.Context(), lobby, parley.Text("flood"))
			}
		}
	}()
	defer func() { close(stop); <-flood }()
	for range 10 {
		w := s.open(t)
		var got []string
		for !slices.Contains(got, inWords(opText, []byte("welcome"))) {
			got = append(got, w.next())
		}
		reset(t, w)
	}
}

// TestOnlineWhileOpen finds a user online once the client sees the answer to its
// handshake, and neither before it is accepted nor once the client sees that the
// connection is closed.
func TestOnlineWhileOpen(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, onlineWhileOpen)
}

func onlineWhileOpen(t *testing.T, k kind) {
	hub := k.hub(t, nil)
	online := func() bool {
		t.Helper()
		is, err := hub.Online(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error {
			err := c.Identify("bob", nil)
			if online() {
				t.Error("online before the connection is accepted")
			}
			return err
		}}
	})
	for range 100 {
		w := s.open(t)
		if !online() {
			t.Fatal("not online though the handshake is answered")
		}
		w.send(closing(1000, ""))
		w.next()
		if online() {
			t.Fatal("online though the close frame is answered")
		}
	}
}
