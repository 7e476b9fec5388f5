package parley_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestMissedByNewDevice trims an inbox before any device acknowledged something: whoever
// comes is told how many messages are gone.
func TestMissedByNewDevice(t *testing.T) {
	t.Parallel()
	for name, was := range map[string]struct {
		here bool // a connection was, and acknowledged nothing
		had  int  // what it was handed
	}{"never seen": {}, "had nothing": {here: true}, "had some": {true, 8}} {
		for _, device := range []string{"", "phone"} {
			hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "user:*", Messages: 10}}})
			m := newMail(t, engines[0], hub, nil)
			opts, missed := misses(parley.JoinOptions{Device: device})
			if was.here {
				w := m.as(t, "bob", opts)
				keep(t, hub, bob, 0, was.had)
				w.numbers(0, was.had)
				w.quiet()
				m.leave(t, bob, w)
			}
			keep(t, hub, bob, was.had, 50)
			w := m.as(t, "bob", opts)
			if got := await(t, missed, "Missed"); got.Messages != 40 || got.Overdue {
				t.Errorf("%s, device %q: told %+v", name, device, got)
			}
			w.numbers(40, 50)
			w.acknowledge()
			if s := hub.Stats(); s.Trimmed != 40 || s.Gaps != 1 {
				t.Errorf("%s, device %q: counted %+v", name, device, s)
			}
			m.leave(t, bob, w)
			m.as(t, "bob", opts).quiet()
			joined := make(chan bool, 1)
			other := m.as(t, "bob", &parley.JoinOptions{Device: "other", Joined: func(_ parley.Cursor, missed bool) { joined <- missed }})
			if other.quiet(); <-joined {
				t.Errorf("%s, device %q: another device missed something", name, device)
			}
		}
	}
}

// TestTooManyDevices has a user have one device more than there may be: it is refused with
// a reason, and none of the others loses anything for it.
func TestTooManyDevices(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	m := newMail(t, engines[0], hub, nil)
	device := func(i int) *parley.JoinOptions { return &parley.JoinOptions{Device: fmt.Sprint(i)} }
	for i := range parley.MaxCursors {
		w := m.as(t, "bob", device(i))
		w.quiet()
		m.lose(t, w, 1)
	}
	keep(t, hub, bob, 0, 3)
	op, reason, err := m.as(t, "bob", device(parley.MaxCursors)).read()
	if err != nil || op != opClose || !strings.Contains(string(reason), "64 devices") {
		t.Errorf("one device more gets %x %q, %v", op, reason, err)
	}
	for i := range parley.MaxCursors {
		w := m.as(t, "bob", device(i))
		w.numbers(0, 3)
		w.acknowledge()
	}
	m.as(t, "bob", nil).quiet()
}

// TestGapToldOnce has a page behind a gap find no room: it is read again, and the gap is
// told once.
func TestGapToldOnce(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{
		Keep:       []parley.KeepRule{{Pattern: "user:*", Messages: 10}},
		Limits:     parley.Limits{SendQueueBytes: 4096},
		SlowReader: parley.DropSlow,
	})
	told := make(chan parley.Missed, 100)
	handler := hub.Handler(func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error {
			return c.Identify("bob", &parley.JoinOptions{Missed: func(m parley.Missed) {
				told <- m
				for hub.Stats().SlowDropped == 0 { // until the queue is full
					if err := c.Reply(parley.Text(strings.Repeat("x", 100))); err != nil {
						t.Error(err)
					}
				}
			}})
		}}
	})
	keep(t, hub, bob, 0, 1)
	w, _ := pipe(t, handler)
	w.numbers(0, 1)
	w.acknowledge()
	_ = w.nc.Close()
	until(t, "the connection is gone", func() bool { return hub.Stats().Connections == 0 })
	keep(t, hub, bob, 1, 31)
	w, _ = pipe(t, handler)
	if got := await(t, told, "Missed"); got.Messages != 20 {
		t.Errorf("told %+v", got)
	}
	until(t, "the queue is full", func() bool { return hub.Stats().SlowDropped > 0 })
	for i := 21; i < 31; {
		switch got := w.next(); {
		case got == fmt.Sprintf("text %q", fmt.Sprint(i)):
			i++
		case !strings.Contains(got, "xxx") && !strings.HasPrefix(got, "ping"):
			t.Fatalf("got %s before message %d", got, i)
		}
	}
	if s := hub.Stats(); s.Trimmed != 20 || s.Gaps != 1 || len(told) > 0 {
		t.Errorf("told %d times more, counted %+v", len(told), s)
	}
}

// askedLayer is a layer whose hub a test asks for its claims.
type askedLayer struct {
	parley.Layer
	local parley.Local
}

func (l *askedLayer) Attach(local parley.Local) parley.Link {
	l.local = local
	return l.Layer.Attach(local)
}

// TestClaimRenewedAmongMany has a device acknowledge something after its claim ended: it
// has a claim again, also where the last look at many others said that all is free.
func TestClaimRenewedAmongMany(t *testing.T) {
	t.Parallel()
	for _, others := range []int{3, 70} {
		asked := &askedLayer{Layer: parley.NewMemoryLayer()}
		hub := newHub(t, &parley.Options{Layer: asked, Limits: parley.Limits{ClaimTimeout: 50 * time.Millisecond}})
		m := newMail(t, engines[0], hub, nil)
		slow := m.as(t, "bob", &parley.JoinOptions{Device: "slow"})
		var all []*wire
		for range others {
			all = append(all, m.as(t, "bob", nil))
		}
		first := keep(t, hub, bob, 0, 1)[0]
		slow.numbers(0, 1)
		slow.quiet()
		places := keep(t, hub, bob, 1, 10)
		head := places[len(places)-1]
		for _, w := range all {
			w.numbers(0, 10)
			w.acknowledge()
		}
		until(t, "the claim ended", func() bool { return asked.local.Acknowledged(bob, head) == head })
		slow.answer()
		until(t, fmt.Sprintf("beside %d others there is a claim again", others), func() bool { return asked.local.Acknowledged(bob, head) == first })
	}
}

// TestJoinAfterWhereNothingIsKept asks for what came after a place where nothing is kept:
// that is an error at once, as it is for Listen.
func TestJoinAfterWhereNothingIsKept(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "group:kept"}}})
	errs := make(chan error, 2)
	m := newMail(t, engines[0], hub, nil)
	m.connects(t, func(c *parley.Conn) error {
		after := &parley.JoinOptions{After: parley.Cursor{Epoch: 1, Seq: 1}}
		errs <- c.Join(parley.Group("g"), after)
		errs <- c.Identify("bob", after)
		return nil
	}).quiet()
	for range 2 {
		if err := <-errs; !hasCode(err, parley.BadRequest) {
			t.Errorf("got %v", err)
		}
	}
}
