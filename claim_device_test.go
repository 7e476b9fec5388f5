package parley_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestDeviceLostUnread has two connections be one device, and one of them be lost
// before it read anything: it gets all when it is back, whatever the other one
// acknowledged.
func TestDeviceLostUnread(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*parley.JoinOptions{"shared": nil, "named": {Device: "tabs"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onWraps(t, unlike, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
				hub := k.hub(t, nil)
				m := newMail(t, k, hub, wrap)
				phone, laptop := m.as(t, "bob", opts), m.as(t, "bob", opts)
				keep(t, hub, bob, 0, 1)
				for _, w := range []*wire{phone, laptop} {
					w.numbers(0, 1)
					w.acknowledge()
				}
				keep(t, hub, bob, 1, 6)
				laptop.numbers(1, 6)
				laptop.acknowledge()
				m.lose(t, phone, 1)
				phone = m.as(t, "bob", opts)
				phone.numbers(1, 6)
				phone.acknowledge()
				for _, w := range []*wire{phone, laptop} {
					m.lose(t, w, 1)
					w = m.as(t, "bob", opts)
					w.quiet()
				}
			})
		})
	}
}

// lose resets a connection, and waits until the hub has so many fewer.
func (m *mail) lose(t testing.TB, w *wire, n int) {
	t.Helper()
	before := m.hub.Stats().Connections
	reset(t, w)
	until(t, "the connection is gone", func() bool { return m.hub.Stats().Connections <= before-n })
}

// TestDeviceSkipsWhatOthersHad has a connection come back long after it was lost: it
// gets what it was handed before, and not all that another one acknowledged since.
func TestDeviceSkipsWhatOthersHad(t *testing.T) {
	t.Parallel()
	onWraps(t, engines, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		hub := k.hub(t, nil)
		m := newMail(t, k, hub, wrap)
		phone, laptop := m.as(t, "bob", nil), m.as(t, "bob", nil)
		keep(t, hub, bob, 0, 5)
		laptop.numbers(0, 5)
		laptop.acknowledge()
		phone.numbers(0, 5)
		m.lose(t, phone, 1)
		keep(t, hub, bob, 5, 400)
		laptop.numbers(5, 400)
		laptop.acknowledge()
		phone = m.as(t, "bob", nil)
		phone.numbers(0, 5)
		phone.acknowledge()
		keep(t, hub, bob, 400, 402)
		for _, w := range []*wire{phone, laptop} {
			w.numbers(400, 402)
			w.acknowledge()
		}
		m.lose(t, phone, 1)
		m.as(t, "bob", nil).quiet()
	})
}

// TestDeviceLostTwice has connections be lost one after the other: the first one's
// messages come once the last one is back.
func TestDeviceLostTwice(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	m := newMail(t, engines[0], hub, nil)
	a, b, c := m.as(t, "bob", nil), m.as(t, "bob", nil), m.as(t, "bob", nil)
	keep(t, hub, bob, 0, 2)
	for _, w := range []*wire{b, c} {
		w.numbers(0, 2)
		w.acknowledge()
	}
	m.lose(t, a, 1)
	keep(t, hub, bob, 2, 4)
	c.numbers(2, 4)
	c.acknowledge()
	m.lose(t, b, 1)
	keep(t, hub, bob, 4, 6)
	c.numbers(4, 6)
	c.acknowledge()
	m.lose(t, c, 1)
	a = m.as(t, "bob", nil)
	a.numbers(0, 4) // c had the rest
	a.acknowledge()
	m.lose(t, a, 1)
	m.as(t, "bob", nil).quiet()
}

// TestDeviceReloads has the only tab that is left of a device come again: it is handed
// what another one owed, and not all that it acknowledged since. Of a debt that is gone
// it is told, and of no more.
func TestDeviceReloads(t *testing.T) {
	t.Parallel()
	for _, device := range []string{"", "phone"} {
		for _, c := range []struct{ n, sent, told int }{{10, 2, 0}, {600, 2, 0}, {1500, 0, 2}} {
			for _, stays := range []bool{false, true} {
				hub := newHub(t, nil)
				m := newMail(t, engines[0], hub, nil)
				opts, missed := misses(parley.JoinOptions{Device: device})
				a, b := m.as(t, "bob", opts), m.as(t, "bob", opts)
				a.quiet()
				b.quiet()
				keep(t, hub, bob, 0, 2)
				b.numbers(0, 2)
				b.acknowledge()
				m.lose(t, a, 1)
				keep(t, hub, bob, 2, 2+c.n)
				b.numbers(2, 2+c.n)
				b.acknowledge()
				if !stays {
					m.lose(t, b, 1)
				}
				keep(t, hub, bob, 2+c.n, 3+c.n)
				b = m.as(t, "bob", opts)
				b.numbers(0, c.sent)
				b.numbers(2+c.n, 3+c.n)
				b.quiet()
				if c.told > 0 {
					if got := await(t, missed, "Missed"); got.Messages != int64(c.told) {
						t.Errorf("told of %+v, want %d messages", got, c.told)
					}
				}
				if s := hub.Stats(); s.Trimmed != int64(c.told) || len(missed) > 0 {
					t.Errorf("counted %+v, want %d trimmed", s, c.told)
				}
			}
		}
	}
}

// TestDeviceClosesWithNothingOwed has a second tab close that had everything: the
// first one goes on alone, and is not sent what it acknowledged again.
func TestDeviceClosesWithNothingOwed(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, nil)
		m := newMail(t, k, hub, nil)
		first, second := m.as(t, "bob", nil), m.as(t, "bob", nil)
		keep(t, hub, bob, 0, 3)
		for _, w := range []*wire{first, second} {
			w.numbers(0, 3)
			w.acknowledge()
		}
		m.lose(t, second, 1)
		keep(t, hub, bob, 3, 6)
		first.numbers(3, 6)
		first.acknowledge()
		m.lose(t, first, 1)
		m.as(t, "bob", nil).quiet()
	})
}

// TestDeviceNewTabPays has a new connection of a device take over what a lost one did
// not acknowledge.
func TestDeviceNewTabPays(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	m := newMail(t, engines[0], hub, nil)
	first, second := m.as(t, "bob", nil), m.as(t, "bob", nil)
	keep(t, hub, bob, 0, 3)
	first.numbers(0, 3)
	first.acknowledge()
	m.lose(t, second, 1)
	third := m.as(t, "bob", nil)
	third.numbers(0, 3)
	third.acknowledge()
	m.lose(t, third, 1)
	m.as(t, "bob", nil).quiet()
}

// TestDeviceDebtOutlivesItsPayer has a connection that was to be handed again what a
// lost one did not acknowledge be lost as well, before it was sent anything: the next
// one gets it.
func TestDeviceDebtOutlivesItsPayer(t *testing.T) {
	t.Parallel()
	for _, opts := range []*parley.JoinOptions{nil, {Device: "phone"}} {
		hub := newHub(t, &parley.Options{Limits: parley.Limits{CloseTimeout: 50 * time.Millisecond}})
		m := newMail(t, engines[0], hub, nil)
		first, second := m.as(t, "bob", opts), m.as(t, "bob", opts)
		keep(t, hub, bob, 0, 3)
		first.numbers(0, 3)
		first.acknowledge()
		m.lose(t, second, 1)
		m.next <- func(c *parley.Conn) error {
			told := *cmp.Or(opts, &parley.JoinOptions{})
			told.Joined = func(parley.Cursor, bool) { panic("nothing is handed over") }
			return c.Identify("bob", &told)
		}
		third := m.connect(t)
		third.send(m.handshake())
		third.expectEnd(t)
		until(t, "the third one is gone", func() bool { return hub.Stats().Connections == 1 })
		keep(t, hub, bob, 3, 5)
		first.numbers(3, 5)
		first.acknowledge()
		m.as(t, "bob", opts).numbers(0, 3)
	}
}

// TestDeviceTakesOverWhatOthersHad has a tab be handed messages that it does not
// acknowledge, and a second one be lost before it was handed anything: what it took
// over from the first one is not lost with it.
func TestDeviceTakesOverWhatOthersHad(t *testing.T) {
	t.Parallel()
	for _, opts := range []*parley.JoinOptions{nil, {Device: "phone"}} {
		hub := newHub(t, &parley.Options{Limits: parley.Limits{CloseTimeout: 50 * time.Millisecond}})
		m := newMail(t, engines[0], hub, nil)
		w := m.as(t, "bob", opts)
		keep(t, hub, bob, 0, 1)
		w.numbers(0, 1)
		w.acknowledge()
		m.lose(t, w, 1)
		keep(t, hub, bob, 1, 6)
		silent := m.as(t, "bob", opts)
		silent.numbers(1, 6)
		m.next <- func(c *parley.Conn) error {
			told := *cmp.Or(opts, &parley.JoinOptions{})
			told.Joined = func(parley.Cursor, bool) { panic("nothing is handed over") }
			return c.Identify("bob", &told)
		}
		second := m.connect(t)
		second.send(m.handshake())
		second.expectEnd(t)
		until(t, "the second one is gone", func() bool { return hub.Stats().Connections == 1 })
		m.lose(t, silent, 1)
		m.as(t, "bob", opts).numbers(1, 6)
	}
}
