package parley_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
)

// TestRejectedFirstMessage has the first message that a user ever got be one that the
// client rejects, also beside another tab that takes it: it is given up, and what the
// others acknowledged does not come again.
func TestRejectedFirstMessage(t *testing.T) {
	t.Parallel()
	for _, opts := range []*parley.JoinOptions{nil, {Device: "phone"}} {
		for _, beside := range []bool{false, true} {
			hub := newHub(t, nil)
			m := newMail(t, engines[0], hub, nil)
			var tab, other *wire
			if beside {
				tab, other = m.as(t, "bob", opts), m.as(t, "bob", opts)
				tab.quiet()
				other.quiet()
			}
			for _, text := range []string{"poison", "1"} {
				if err := hub.Send(t.Context(), bob, parley.Text(text)); err != nil {
					t.Fatal(err)
				}
			}
			if beside {
				tab.expectMessage(`text "poison"`)
				tab.expectMessage(`text "1"`)
				tab.acknowledge()
				other.expectMessage(`text "poison"`)
				other.send(closing(1009, ""))
				other.expectEnd(t)
			}
			m.givesUp(t, opts, "1")
			keep(t, hub, bob, 2, 20)
			if !beside {
				continue
			}
			tab.numbers(2, 20)
			tab.acknowledge()
			w := m.as(t, "bob", opts)
			w.quiet()
			m.lose(t, w, 1)
			m.as(t, "bob", opts).quiet()
		}
	}
}

// TestRejectedBehindGap has the first message behind a gap be one that the client rejects:
// it is given up, and both losses are told.
func TestRejectedBehindGap(t *testing.T) {
	t.Parallel()
	for _, joined := range []bool{false, true} {
		hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "user:*", Messages: 5}}})
		m := newMail(t, engines[0], hub, nil)
		opts := &parley.JoinOptions{Device: "phone"}
		if joined {
			opts.Joined = func(parley.Cursor, bool) {}
		}
		w := m.as(t, "bob", opts)
		keep(t, hub, bob, 0, 1)
		w.numbers(0, 1)
		w.acknowledge()
		m.lose(t, w, 1)
		keep(t, hub, bob, 1, 20)
		if err := hub.Send(t.Context(), bob, parley.Text("poison")); err != nil {
			t.Fatal(err)
		}
		keep(t, hub, bob, 20, 24)
		m.givesUp(t, opts, "23")
	}
}

// givesUp rejects the one poisoned message until a connection gets the last one.
func (m *mail) givesUp(t *testing.T, opts *parley.JoinOptions, last string) {
	t.Helper()
	connections := 0
	for ended := true; ended; connections++ {
		if _, ended = m.rejecting(t, opts, 1009, last); connections > 12 {
			t.Fatal("there is no end")
		}
	}
	if s := m.hub.Stats(); s.Undeliverable != 1 {
		t.Errorf("after %d connections: %+v", connections, s)
	}
}

// TestAcknowledgedWhileClosing has a client answer a ping behind our close frame: what
// it acknowledged does not come again.
func TestAcknowledgedWhileClosing(t *testing.T) {
	t.Parallel()
	for _, opts := range []*parley.JoinOptions{nil, {Device: "phone"}} {
		for _, beside := range []bool{false, true} {
			hub := newHub(t, nil)
			m := newMail(t, engines[0], hub, nil)
			conns := make(chan *parley.Conn, 1)
			w := m.connects(t, func(c *parley.Conn) error { conns <- c; return c.Identify("bob", opts) })
			var tab *wire
			left := 0
			if beside {
				tab, left = m.as(t, "bob", opts), 1
				tab.quiet()
			}
			keep(t, hub, bob, 0, 1)
			if w.numbers(0, 1); beside {
				tab.numbers(0, 1)
				tab.acknowledge()
			}
			w.quiet()
			number, err := strconv.Unquote(strings.TrimPrefix(w.asked, "ping "))
			if err != nil {
				t.Fatal(err)
			}
			if err := await(t, conns, "Connect").Close(1001, "bye"); err != nil {
				t.Fatal(err)
			}
			w.expect("close 1001")
			w.send(frame(fin|opPong, number), closing(1001, ""))
			w.expectEnd(t)
			until(t, "it is gone", func() bool { return hub.Stats().Connections == left })
			m.as(t, "bob", opts).quiet()
		}
	}
}

// TestClaimOfASlowTab has another tab of a device come and read all, while the first
// one is slow: its messages are kept for it.
func TestClaimOfASlowTab(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{
		Keep:   []parley.KeepRule{{Pattern: "user:*", Messages: 10}},
		Limits: parley.Limits{DeliverQueue: 4},
	})
	goOn := make(chan struct{})
	first := false
	m := newMail(t, engines[0], hub, func(c consumer) parley.Consumer {
		waits := first
		first = false
		return deliverer{c, func(c *parley.Conn, m parley.Message) error {
			if waits {
				<-goOn
			}
			return c.Reply(m)
		}}
	})
	opts := &parley.JoinOptions{Device: "phone"}
	keep(t, hub, bob, 0, 1)
	early := m.as(t, "bob", opts)
	early.numbers(0, 1)
	early.acknowledge() // the device has a place
	m.lose(t, early, 1)
	first = true
	slow := m.as(t, "bob", opts)
	keep(t, hub, bob, 1, 100)
	fast := m.as(t, "bob", opts)
	fast.numbers(1, 100)
	fast.acknowledge()
	keep(t, hub, bob, 100, 150)
	fast.numbers(100, 150)
	fast.acknowledge()
	close(goOn)
	slow.numbers(1, 150)
	if s := hub.Stats(); s.Gaps != 0 {
		t.Errorf("counted %+v", s)
	}
}

// TestMissedNotAfterJoined has Joined tell of a gap: Missed does not tell of it again,
// within Connect or later.
func TestMissedNotAfterJoined(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "group:*"}}})
	conns := make(chan *parley.Conn, 1)
	m := newMail(t, engines[0], hub, nil)
	g := parley.Group("g")
	keep(t, hub, g, 0, 2)
	opts, missed := misses(parley.JoinOptions{After: parley.Cursor{Epoch: 1, Seq: 1}})
	joined := make(chan bool, 2)
	opts.Joined = func(_ parley.Cursor, missed bool) { joined <- missed }
	m.in(t, g, opts).numbers(0, 2)
	w := m.connects(t, func(c *parley.Conn) error { conns <- c; return nil })
	if err := await(t, conns, "Connect").Join(g, opts); err != nil {
		t.Fatal(err)
	}
	w.numbers(0, 2)
	w.quiet()
	for range 2 {
		if !await(t, joined, "Joined") {
			t.Error("Joined was not told of the gap")
		}
	}
	select {
	case m := <-missed:
		t.Errorf("Missed told %+v", m)
	default:
	}
}
