package parley_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
)

// mail is a site each of whose connections the test tells what to join.
type mail struct {
	*site
	next chan func(*parley.Conn) error
}

// newMail serves consumers that wrap makes of plain ones, if it is not nil.
func newMail(t testing.TB, k kind, hub *parley.Hub, wrap func(consumer) parley.Consumer) *mail {
	t.Helper()
	m := &mail{next: make(chan func(*parley.Conn) error, 1)}
	m.site = newSite(t, k.transport, hub, func() parley.Consumer {
		c := consumer{connect: func(c *parley.Conn) error { return (<-m.next)(c) }}
		if wrap == nil {
			return c
		}
		return wrap(c)
	})
	return m
}

// wraps are consumers that get messages in ways of their own, the same ones.
var wraps = map[string]func(consumer) parley.Consumer{
	"plain":     nil,
	"encoder":   func(c consumer) parley.Consumer { return asIs{c} },
	"deliverer": func(c consumer) parley.Consumer { return passesOn{c} },
}

// asIs is an Encoder that changes nothing.
type asIs struct{ consumer }

func (asIs) Encode(m parley.Message) (parley.Message, error) { return m, nil }

// passesOn is a Deliverer that holds nothing back.
type passesOn struct{ consumer }

func (passesOn) Deliver(c *parley.Conn, m parley.Message) error { return c.Reply(m) }

// onWraps runs a test for each kind of connection and of consumer.
func onWraps(t *testing.T, of []kind, test func(t *testing.T, k kind, wrap func(consumer) parley.Consumer)) {
	t.Helper()
	for name, wrap := range wraps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, of, func(t *testing.T, k kind) { test(t, k, wrap) })
		})
	}
}

// connects opens a connection that does what it is told within Connect.
func (m *mail) connects(t testing.TB, connect func(*parley.Conn) error) *wire {
	t.Helper()
	m.next <- connect
	return m.open(t)
}

// as opens a connection of a user's.
func (m *mail) as(t testing.TB, user string, opts *parley.JoinOptions) *wire {
	t.Helper()
	return m.connects(t, func(c *parley.Conn) error { return c.Identify(user, opts) })
}

// in opens a connection that joins an address.
func (m *mail) in(t testing.TB, to parley.Address, opts *parley.JoinOptions) *wire {
	t.Helper()
	return m.connects(t, func(c *parley.Conn) error { return c.Join(to, opts) })
}

// numbers reads the numbers from a to b, not b itself, and no pings are answered.
func (w *wire) numbers(from, until int) {
	w.t.Helper()
	for i := from; i < until; i++ {
		w.expectMessage(fmt.Sprintf("text %q", strconv.Itoa(i)))
	}
}

// quiet holds the server to have nothing more for a connection than pings. What it
// was told before is done then.
func (w *wire) quiet() {
	w.t.Helper()
	for _, payload := range []string{"first", "then"} {
		w.send(ping(payload))
		w.expectMessage(fmt.Sprintf("pong %q", payload))
	}
}

// acknowledge answers the pings that come, until the server has nothing more to ask.
// There must have been one.
func (w *wire) acknowledge() {
	w.t.Helper()
	if w.quiet(); w.asked == "" {
		w.t.Fatal("there was no ping")
	}
	for w.asked != "" {
		w.answer()
		w.quiet()
	}
}

// answer answers the last ping that came.
func (w *wire) answer() {
	w.t.Helper()
	number, err := strconv.Unquote(strings.TrimPrefix(w.asked, "ping "))
	if err != nil {
		w.t.Fatal(err)
	}
	w.asked = ""
	w.send(frame(fin|opPong, number))
}

// place is what Joined was called with.
type place struct {
	parley.Cursor
	missed bool
}

// joins returns options whose Joined tells.
func joins(opts parley.JoinOptions) (*parley.JoinOptions, <-chan place) {
	places := make(chan place, 1)
	opts.Joined = func(at parley.Cursor, missed bool) { places <- place{at, missed} }
	return &opts, places
}

// keep keeps the numbers from a to b, not b itself, and returns their places.
func keep(t testing.TB, hub *parley.Hub, to parley.Address, from, until int) (places []parley.Cursor) {
	t.Helper()
	for i := from; i < until; i++ {
		done, results := collect(1)
		hub.SendAsync(to, parley.Text(strconv.Itoa(i)), done)
		r := await(t, results, "done")
		if r.err != nil {
			t.Fatal(r.err)
		}
		places = append(places, r.Cursor)
	}
	return places
}

// leave resets a user's connections, and waits until the user has none.
func (m *mail) leave(t testing.TB, user parley.Address, all ...*wire) {
	t.Helper()
	for _, w := range all {
		reset(t, w)
	}
	until(t, user.String()+" is away", func() bool {
		online, err := m.hub.Online(t.Context(), user.Name())
		if err != nil {
			t.Fatal(err)
		}
		return !online
	})
}

// misses returns options whose Missed tells.
func misses(opts parley.JoinOptions) (*parley.JoinOptions, <-chan parley.Missed) {
	missed := make(chan parley.Missed, 10)
	opts.Missed = func(m parley.Missed) { missed <- m }
	return &opts, missed
}
