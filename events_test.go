package parley_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// TestEventsDoNotOverlap has clients and the program send at once: the calls of
// one connection never overlap, and keep the order of each sender.
func TestEventsDoNotOverlap(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, eventsDoNotOverlap)
}

func eventsDoNotOverlap(t *testing.T, k kind) {
	const conns, messages = 8, 300
	hub := k.hub(t, &parley.Options{Limits: parley.Limits{DeliverQueue: conns * messages}})
	gone := make(chan *orderly, conns)
	s := newSite(t, k.transport, hub, func() parley.Consumer { return &orderly{gone: gone} })
	var clients sync.WaitGroup
	for range conns {
		w := s.open(t)
		clients.Go(func() {
			for i := range messages {
				w.send(text(strconv.Itoa(i)))
			}
			w.send(closing(1000, ""))
			w.transcript()
		})
	}
	for i := range messages {
		if err := hub.Send(t.Context(), parley.Everyone, parley.Text(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	clients.Wait()
	for range conns {
		o := await(t, gone, "Disconnect")
		if o.problem != "" {
			t.Error(o.problem)
		}
		if o.received != messages {
			t.Errorf("received %d messages, want %d", o.received, messages)
		}
	}
}

// orderly is a Deliverer that finds calls that overlap, or come out of order.
// That its fields are not locked is for the race detector to see.
type orderly struct {
	gone                chan *orderly
	inside              atomic.Int32
	received, delivered int
	problem             string
}

func (o *orderly) call(what string, f func()) {
	if o.inside.Add(1) != 1 {
		o.problem = what + " overlaps another call"
	}
	f()
	o.inside.Add(-1)
}

func (o *orderly) Connect(c *parley.Conn) (err error) {
	o.call("Connect", func() { err = joinEveryone(c) })
	return err
}

func (o *orderly) Receive(_ *parley.Conn, m parley.Message) error {
	o.call("Receive", func() {
		if string(m.Data) != strconv.Itoa(o.received) {
			o.problem = fmt.Sprintf("received %s, want %d", m.Data, o.received)
		}
		o.received++
	})
	return nil
}

func (o *orderly) Deliver(_ *parley.Conn, m parley.Message) error {
	o.call("Deliver", func() {
		n, err := strconv.Atoi(string(m.Data))
		if err != nil || n < o.delivered {
			o.problem = fmt.Sprintf("%s was delivered, want %d or later", m.Data, o.delivered)
		}
		o.delivered = n + 1
	})
	return nil
}

func (o *orderly) Disconnect(*parley.Conn, parley.CloseCode) {
	o.call("Disconnect", func() { o.gone <- o })
}

// TestPanics has each call of a consumer panic: the connection ends with 1011,
// Disconnect is called once, and nobody else hears of it.
func TestPanics(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, panicsEndConnections)
}

func panicsEndConnections(t *testing.T, k kind) {
	panics := func(*parley.Conn, parley.Message) error { panic("in the consumer") }
	hub := k.hub(t, nil)
	ended := make(chan string, 10)
	site := func(name string, c consumer) *site {
		c.disconnect = func(_ *parley.Conn, code parley.CloseCode) {
			ended <- fmt.Sprintf("%s with %d", name, code)
			panic("in Disconnect")
		}
		if name == "Deliver" {
			return newSite(t, k.transport, hub, func() parley.Consumer { return deliverer{c, panics} })
		}
		return newSite(t, k.transport, hub, func() parley.Consumer { return c })
	}
	bystander := newSite(t, k.transport, hub, newEcho).open(t)

	w := site("Receive", consumer{receive: panics}).open(t)
	w.send(text("a"), text("b"))
	w.expect("close 1011")
	w.send(closing(1011, ""))
	w.expect("eof")
	if got := await(t, ended, "Disconnect"); got != "Receive with 1011" {
		t.Errorf("ended: %s", got)
	}

	w = site("Deliver", consumer{connect: joinEveryone}).open(t)
	for range 2 {
		if err := hub.Send(t.Context(), parley.Everyone, parley.Text("a")); err != nil {
			t.Fatal(err)
		}
	}
	w.expect("close 1011")
	w.send(closing(1011, ""))
	w.expect("eof")
	if got := await(t, ended, "Disconnect"); got != "Deliver with 1011" {
		t.Errorf("ended: %s", got)
	}

	w = site("Disconnect", consumer{}).open(t)
	w.send(closing(1000, ""))
	w.expect("close 1000", "eof")
	if got := await(t, ended, "Disconnect"); got != "Disconnect with 1000" {
		t.Errorf("ended: %s", got)
	}

	bystander.send(text("still here"))
	bystander.expect(`text "still here"`)
	if len(ended) > 0 {
		t.Errorf("ended again: %s", <-ended)
	}
}

// TestErrorsClose closes with the code of what Receive or Deliver returns, and
// calls neither again.
func TestErrorsClose(t *testing.T) {
	t.Parallel()
	for want, err := range map[parley.CloseCode]error{
		parley.ClosePolicyViolation: &parley.Error{Code: parley.Forbidden, Message: "not yours"},
		parley.CloseUnauthenticated: fmt.Errorf("wrapped: %w", &parley.Error{Code: parley.Unauthenticated, Message: "not yours"}),
		parley.CloseTooLarge:        &parley.Error{Code: parley.TooLarge, Message: "not yours"},
		parley.CloseTryAgainLater:   &parley.Error{Code: parley.Unavailable, Message: "not yours"},
		parley.CloseInternalError:   errors.New("nobody's business"),
	} {
		t.Run(want.String(), func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			fails := func(*parley.Conn, parley.Message) error { calls.Add(1); return err }
			hub := newHub(t, nil)
			for _, c := range []parley.Consumer{
				consumer{receive: fails},
				deliverer{consumer{connect: joinEveryone, receive: toEveryone}, fails},
			} {
				calls.Store(0)
				w := newSite(t, "tcp", hub, func() parley.Consumer { return c }).open(t)
				w.send(text("a"), text("b"), text("c"))
				op, payload, readErr := w.read()
				if readErr != nil || op != opClose {
					t.Fatalf("got %s and %v, want a close frame", inWords(op, payload), readErr)
				}
				reason := map[bool]string{true: "internal error", false: "not yours"}[want == parley.CloseInternalError]
				if got := inWords(op, payload); got != fmt.Sprintf("close %d", want) || string(payload[2:]) != reason {
					t.Errorf("got %s %q, want %d %q", got, payload[2:], want, reason)
				}
				w.send(closing(uint16(want), ""))
				w.expect("eof")
				if n := calls.Load(); n != 1 {
					t.Errorf("called %d times, want once", n)
				}
			}
		})
	}
}

// TestConnectTakesEffectInOrder has Connect and goroutines that it starts ask
// for things before the connection is there.
func TestConnectTakesEffectInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{}}) // there is no order between kept messages and others
		connect := func(c *parley.Conn) error {
			for i := range 5 {
				if err := errors.Join(
					c.Reply(parley.Text(fmt.Sprint("reply ", i))),
					c.Send(c.Context(), parley.Group("g"), parley.Text(fmt.Sprint("missed ", i))),
				); err != nil {
					return err
				}
			}
			if err := errors.Join(
				c.Join(parley.Group("g"), nil),
				c.Identify("ann", nil),
				c.Send(c.Context(), parley.Group("g"), parley.Text("to the group")),
				c.Send(c.Context(), parley.User("ann"), parley.Text("to the user")),
				c.Send(c.Context(), c.Address(), parley.Text("to the connection")),
			); err != nil {
				return err
			}
			c.Leave(parley.Group("g"))
			if c.Request() == nil || c.User() != "ann" {
				return errors.New("no request or no user")
			}
			return errors.Join(
				c.Send(c.Context(), parley.Group("g"), parley.Text("missed")),
				c.Reply(parley.Text("last")),
				c.Close(4003, "done"),
				c.Reply(parley.Text("too late")),
			)
		}
		w, _ := pipe(t, hub.Handler(func() parley.Consumer { return consumer{connect: connect} }))
		for i := range 5 {
			w.expect(fmt.Sprintf("text %q", fmt.Sprint("reply ", i)))
		}
		w.expect(`text "to the group"`, `text "to the user"`, `text "to the connection"`, `text "last"`, "close 4003")
		w.send(closing(4003, ""))
		w.expect("eof")
	})
}

// TestRefusedConnectHasNoEffect joins and sends nothing for a client that
// Connect refuses.
func TestRefusedConnectHasNoEffect(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	listening, heard := make(chan error, 1), make(chan parley.Message, 1)
	go func() {
		listening <- hub.Listen(t.Context(), parley.Group("g"), nil, func(m parley.Message) error {
			heard <- m
			return errors.New("enough")
		})
	}()
	var kept *parley.Conn
	s := newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error {
			kept = c
			return errors.Join(
				joinEveryone(c), c.Identify("ann", nil), c.Send(c.Context(), parley.Group("g"), parley.Text("unheard")),
				&parley.Error{Code: parley.Forbidden},
			)
		}}
	})
	w := s.connect(t)
	w.send(handshake)
	if got := w.response().StatusCode; got != http.StatusForbidden {
		t.Fatalf("got status %d, want 403", got)
	}
	if online, err := hub.Online(t.Context(), "ann"); online || err != nil {
		t.Errorf("Online returned %v and %v", online, err)
	}
	if err := kept.Reply(parley.Text("a")); err != parley.ErrClosed {
		t.Errorf("Reply returned %v, want %v", err, parley.ErrClosed)
	}
	if err := joinEveryone(kept); err != parley.ErrClosed {
		t.Errorf("Join returned %v, want %v", err, parley.ErrClosed)
	}
	await(t, kept.Context().Done(), "the end of the context")
	for len(heard) == 0 { // until the listener is there
		if err := hub.Send(t.Context(), parley.Group("g"), parley.Text("heard")); err != nil {
			t.Fatal(err)
		}
	}
	if m := <-heard; string(m.Data) != "heard" {
		t.Errorf("the listener got %q", m.Data)
	}
	await(t, listening, "the listener")
}

// TestRepliesOfALostClient replies to one that is gone: an error that is no
// reason to log.
func TestRepliesOfALostClient(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, repliesOfALostClient)
}

func repliesOfALostClient(t *testing.T, k kind) {
	var log strings.Builder
	hub := k.hub(t, &parley.Options{Logger: textLogger(&log)})
	goOn, gone := make(chan bool), make(chan bool)
	lost := make(chan *parley.Conn, 1)
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		return consumer{
			receive: func(c *parley.Conn, m parley.Message) error {
				lost <- c
				<-goOn
				for {
					if err := c.Reply(m); err != nil {
						return err
					}
				}
			},
			disconnect: func(*parley.Conn, parley.CloseCode) { close(gone) },
		}
	})
	w := s.open(t)
	w.send(text("a"))
	c := await(t, lost, "Receive")
	reset(t, w)
	close(goOn)
	await(t, gone, "Disconnect")
	await(t, c.Context().Done(), "the end of the context")
	if c.Context().Err() == nil {
		t.Error("the context has no error")
	}
	hubCloses(t, hub)
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
}

// hubCloses closes a hub that has time for it.
func hubCloses(t *testing.T, hub *parley.Hub) {
	t.Helper()
	start := time.Now()
	if err := hub.Close(t.Context()); err != nil {
		t.Errorf("Close returned %v after %v", err, time.Since(start))
	}
}
