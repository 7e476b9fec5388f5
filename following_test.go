package parley_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

// TestExceptOfKept leaves one connection out, live and from the log, and no other.
func TestExceptOfKept(t *testing.T) {
	t.Parallel()
	onWraps(t, unlike, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		hub := k.hub(t, &parley.Options{Keep: keepAll()})
		m := newMail(t, k, hub, wrap)
		conns := make(chan *parley.Conn, 1)
		w := m.connects(t, func(c *parley.Conn) error { conns <- c; return nil })
		c, other := await(t, conns, "Connect"), m.in(t, g, nil)
		begin := keep(t, hub, g, 0, 1)[0]
		without := func(text string) {
			if err := c.Send(t.Context(), g, parley.Text(text), parley.Except(c)); err != nil {
				t.Fatal(err)
			}
		}
		without("1")
		keep(t, hub, g, 2, 3)
		without("3")
		if err := c.Join(g, &parley.JoinOptions{After: begin}); err != nil {
			t.Fatal(err)
		}
		w.numbers(2, 3)
		without("4")
		keep(t, hub, g, 5, 6)
		w.numbers(5, 6)
		w.quiet()
		other.numbers(0, 6)
	})
}

// TestLeaveAndJoinKept leaves a group and joins it again, behind and at its head: what
// comes between is not delivered unless it is asked for.
func TestLeaveAndJoinKept(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Keep: keepAll()})
		m := newMail(t, k, hub, nil)
		conns := make(chan *parley.Conn, 1)
		w := m.connects(t, func(c *parley.Conn) error { conns <- c; return c.Join(g, nil) })
		c := await(t, conns, "Connect")
		w.quiet()
		begin := keep(t, hub, g, 0, 1)[0]
		w.numbers(0, 1)
		c.Leave(g)
		keep(t, hub, g, 1, 500)
		w.quiet()
		for range 20 { // while it reads
			if err := c.Join(g, &parley.JoinOptions{After: begin}); err != nil {
				t.Fatal(err)
			}
			c.Leave(g)
		}
		if err := c.Reply(parley.Text("left")); err != nil {
			t.Fatal(err)
		}
		for got := w.next(); got != `text "left"`; got = w.next() {
		}
		w.quiet()
		if err := c.Join(g, nil); err != nil {
			t.Fatal(err)
		}
		keep(t, hub, g, 500, 501)
		w.numbers(500, 501)
		c.Leave(g)
		if err := c.Join(g, &parley.JoinOptions{After: begin}); err != nil {
			t.Fatal(err)
		}
		w.numbers(1, 501)
	})
}

// TestJoinFailsBehindLeave has a Join fail when its membership was left already, and
// the address joined again: that stays.
func TestJoinFailsBehindLeave(t *testing.T) {
	t.Parallel()
	reading, fail := make(chan struct{}), make(chan struct{})
	first := true
	layer := &meddling{
		readAfter: func(ctx context.Context, of parley.Address, after parley.Cursor, limit parley.PageLimit, link parley.Link) (parley.Page, error) {
			if !first {
				return link.ReadAfter(ctx, of, after, limit)
			}
			first = false
			close(reading)
			<-fail
			return parley.Page{}, errors.New("made by the test")
		},
	}
	hub := newHub(t, &parley.Options{Layer: layer, Keep: keepAll()})
	m := newMail(t, engines[0], hub, nil)
	conns := make(chan *parley.Conn, 1)
	w := m.connects(t, func(c *parley.Conn) error { conns <- c; return nil })
	c, joined := await(t, conns, "Connect"), make(chan error, 1)
	go func() {
		joined <- c.Join(g, &parley.JoinOptions{After: parley.Cursor{Epoch: 1}, Joined: func(parley.Cursor, bool) {}})
	}()
	await(t, reading, "reading")
	c.Leave(g)
	if err := c.Join(g, nil); err != nil {
		t.Fatal(err)
	}
	close(fail)
	if err := await(t, joined, "Join"); err == nil {
		t.Error("a Join that cannot read returns no error")
	}
	keep(t, hub, g, 0, 1)
	w.numbers(0, 1)
}

// TestEveryoneKept resumes what everyone got.
func TestEveryoneKept(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Keep: keepAll()})
		m := newMail(t, k, hub, nil)
		w := m.in(t, parley.Everyone, nil)
		places := keep(t, hub, parley.Everyone, 0, 10)
		w.numbers(0, 10)
		reset(t, w)
		m.in(t, parley.Everyone, &parley.JoinOptions{After: places[2]}).numbers(3, 10)
		m.in(t, parley.Everyone, nil).quiet()
	})
}

// TestCloseWhileReading closes a hub with connections that read logs and take nothing
// of them: it returns, and TestMain finds nothing of it left.
func TestCloseWhileReading(t *testing.T) {
	t.Parallel()
	for _, patient := range []bool{true, false} {
		onAll(t, kinds, func(t *testing.T, k kind) {
			hub := k.hub(t, &parley.Options{
				Keep:   []parley.KeepRule{{Pattern: "group:*", Bytes: 1 << 30}},
				Limits: parley.Limits{CloseTimeout: 100 * time.Millisecond, PingInterval: time.Second},
			})
			m := newMail(t, k, hub, nil)
			for i := range 200 {
				if err := hub.Send(t.Context(), g, filled(i, 1<<16)); err != nil {
					t.Fatal(err)
				}
			}
			for range 20 {
				m.in(t, g, &parley.JoinOptions{After: parley.Cursor{Epoch: 1}})
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if !patient {
				cancel()
			}
			if err := hub.Close(ctx); patient && err != nil {
				t.Error(err)
			}
			until(t, "nothing is left", func() bool { return parley.Left(hub) == "" })
		})
	}
}

// TestDeadClientOfAnInbox ends a connection that never answers pings, within two
// heartbeats: its messages come again.
func TestDeadClientOfAnInbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, nil)
		handler := hub.Handler(func() parley.Consumer {
			return consumer{connect: func(c *parley.Conn) error { return c.Identify("bob", nil) }}
		})
		keep(t, hub, bob, 0, 2)
		dead := parleytest.Dial(t, handler, "/", &parleytest.Options{InMemory: true, IgnorePings: true, Timeout: time.Hour})
		start := time.Now()
		for _, want := range []string{"0", "1"} {
			if got := dead.Receive(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if code := dead.CloseCode(); code != parley.CloseAbnormal {
			t.Errorf("closed with %v", code)
		}
		if after := time.Since(start); after > 3*25*time.Second || hub.Stats().DeadClosed != 1 {
			t.Errorf("after %v: %+v", after, hub.Stats())
		}
		alive := parleytest.Dial(t, handler, "/", &parleytest.Options{InMemory: true})
		for _, want := range []string{"0", "1"} {
			if got := alive.Receive(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		alive.Ping()
		synctest.Wait()
		parleytest.Dial(t, handler, "/", &parleytest.Options{InMemory: true}).ReceiveNothing()
	})
}
