package parley_test

import (
	"testing"

	"github.com/parley-rt/parley"
)

var bob = parley.User("bob")

// TestInboxWaits has messages wait for a user who is not connected: they come oldest
// first, before live ones, and once acknowledged they do not come again.
func TestInboxWaits(t *testing.T) {
	t.Parallel()
	onWraps(t, kinds, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		hub := k.hub(t, nil)
		m := newMail(t, k, hub, wrap)
		keep(t, hub, bob, 0, 600)
		w := m.as(t, "bob", nil)
		w.numbers(0, 600)
		keep(t, hub, bob, 600, 610)
		w.numbers(600, 610)
		w.acknowledge()
		reset(t, w)
		keep(t, hub, bob, 610, 620)
		w = m.as(t, "bob", nil)
		w.numbers(610, 620)
		w.quiet()
	})
}

// TestInboxUnacknowledged sends again what no pong acknowledged, however a
// connection ends.
func TestInboxUnacknowledged(t *testing.T) {
	t.Parallel()
	onWraps(t, unlike, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		hub := k.hub(t, nil)
		m := newMail(t, k, hub, wrap)
		keep(t, hub, bob, 0, 3)
		w := m.as(t, "bob", nil)
		w.numbers(0, 3)
		w.acknowledge()
		keep(t, hub, bob, 3, 6)
		w.numbers(3, 6)
		reset(t, w)
		w = m.as(t, "bob", nil)
		w.numbers(3, 6)
		w.send(closing(1000, ""))
		w.expectMessage("close 1000")
		w = m.as(t, "bob", nil)
		w.numbers(3, 6)
		w.acknowledge()
		w = m.as(t, "bob", nil)
		w.quiet()
	})
}

// TestInboxWrongPongs has a client answer what it was not asked, and often: nothing
// of that acknowledges anything.
func TestInboxWrongPongs(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, func(t *testing.T, k kind) {
		hub := k.hub(t, nil)
		m := newMail(t, k, hub, nil)
		keep(t, hub, bob, 0, 3)
		w := m.as(t, "bob", nil)
		w.numbers(0, 3)
		for range 1000 {
			for _, payload := range []string{"", "0", "2", "255", "256", "-1", "+1", "01 ", "1.0", "x", long(125)} {
				w.send(frame(fin|opPong, payload))
			}
		}
		w.quiet()
		w = m.as(t, "bob", nil)
		w.numbers(0, 3)
		w.acknowledge()
	})
}

// TestInboxOfManyConnections has several connections of a user, which are one device
// with one place: a message is acknowledged once all of them have acknowledged it, and
// all that are open get what is live.
func TestInboxOfManyConnections(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		hub := k.hub(t, nil)
		m := newMail(t, k, hub, nil)
		first, second := m.as(t, "bob", nil), m.as(t, "bob", nil)
		keep(t, hub, bob, 0, 10)
		first.numbers(0, 10)
		second.numbers(0, 10)
		second.acknowledge()
		third := m.as(t, "bob", nil)
		third.numbers(0, 10)
		keep(t, hub, bob, 10, 12)
		for _, w := range []*wire{first, second, third} {
			w.numbers(10, 12)
			w.acknowledge()
		}
		m.as(t, "bob", nil).quiet()
	})
}

// TestInboxDevices gives each device a place of its own; a new one begins at the
// furthest of any, or with the oldest message.
func TestInboxDevices(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		hub := k.hub(t, nil)
		m := newMail(t, k, hub, nil)
		keep(t, hub, bob, 0, 4)
		phone := m.as(t, "bob", &parley.JoinOptions{Device: "phone"})
		phone.numbers(0, 4)
		keep(t, hub, bob, 4, 8)
		laptop := m.as(t, "bob", &parley.JoinOptions{Device: "laptop"}) // nothing is acknowledged yet
		laptop.numbers(0, 8)
		laptop.acknowledge()
		reset(t, phone)
		phone = m.as(t, "bob", &parley.JoinOptions{Device: "phone"}) // is where it was, whatever the laptop acknowledged
		phone.numbers(0, 8)
		keep(t, hub, bob, 8, 10)
		phone.numbers(8, 10)
		phone.acknowledge()
		reset(t, laptop)
		m.as(t, "bob", &parley.JoinOptions{Device: "laptop"}).numbers(8, 10)
		m.as(t, "bob", &parley.JoinOptions{Device: "tablet"}).quiet()
		m.as(t, "bob", nil).quiet() // the one without a name is a device, too
	})
}

// TestInboxAfter begins behind a cursor, and acknowledges nothing by pongs.
func TestInboxAfter(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		hub := k.hub(t, nil)
		m := newMail(t, k, hub, nil)
		places := keep(t, hub, bob, 0, 10)
		opts, joined := joins(parley.JoinOptions{After: places[6]})
		w := m.as(t, "bob", opts)
		w.expect(`text "7"`, `text "8"`, `text "9"`)
		if got := await(t, joined, "Joined"); got != (place{places[6], false}) {
			t.Errorf("joined at %v", got)
		}
		w.send(ping("no other"))
		w.expect(`pong "no other"`)
		for n := range 256 {
			w.send(frame(fin|opPong, string(rune('0'+n%10))))
		}
		w.quiet()
		m.as(t, "bob", nil).numbers(0, 10)
	})
}

// TestInboxIsTheUsersAlone keeps users with names that look alike apart.
func TestInboxIsTheUsersAlone(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	m := newMail(t, engines[0], hub, nil)
	names := []string{"bob", "bob ", "Bob", "*", "bo*", "bob.", "bob>", "group:bob", "user:bob", "b\u00f6b"}
	for i, name := range names {
		keep(t, hub, parley.User(name), i, i+1)
	}
	for i, name := range names {
		w := m.as(t, name, nil)
		w.numbers(i, i+1)
		w.quiet()
	}
}
