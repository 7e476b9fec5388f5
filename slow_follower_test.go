package parley_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// filled is a kept number, and so many bytes behind it.
func filled(i, size int) parley.Message {
	return parley.Text(strconv.Itoa(i) + "." + strings.Repeat(".", size))
}

// followed reads numbers until the last one, in order, and returns how many came. It
// answers pings.
func (w *wire) followed(last int) (n int) {
	w.t.Helper()
	for at := -1; at < last; n++ {
		op, payload, err := w.read()
		if err != nil {
			w.t.Fatalf("behind %d: %v", at, err)
		}
		if op == opPing {
			w.send(frame(fin|opPong, string(payload)))
		}
		if op == opPing || string(payload) == "not kept" {
			n--
			continue
		}
		digits, _, _ := strings.Cut(string(payload), ".")
		i, err := strconv.Atoi(digits)
		if err != nil || i <= at {
			w.t.Fatalf("behind %d came %s", at, inWords(op, payload))
		}
		at = i
	}
	return n
}

// TestSlowFollower has a client not read while much more is sent than may wait for
// it: it is not closed for that, nor by what is not kept, and gets all of it later.
func TestSlowFollower(t *testing.T) {
	t.Parallel()
	onWraps(t, unlike, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		const size, total = 1 << 14, 2 * kernelBytes >> 14
		opts := &parley.Options{
			Keep:   []parley.KeepRule{{Pattern: "group:*", Messages: 1 << 20, Bytes: 1 << 30}},
			Limits: parley.Limits{SendQueueBytes: 1 << 18, WriteTimeout: time.Hour},
		}
		hub := k.hub(t, opts)
		m := newMail(t, k, hub, wrap)
		w := m.in(t, g, nil)
		for i := range total {
			if err := hub.Send(t.Context(), g, filled(i, size)); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			if err := hub.Send(t.Context(), g, parley.Text("not kept"), parley.Keep(false)); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.followed(total - 1); n != total {
			t.Errorf("got %d messages, want %d", n, total)
		}
		if stats := hub.Stats(); stats.SlowClosed+stats.Trimmed > 0 {
			t.Errorf("got %+v", stats)
		}
	})
}

// TestFollowerWithoutProgress closes a client that takes nothing for the write
// timeout. The next connection gets what it had not acknowledged.
func TestFollowerWithoutProgress(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		const size, total = 1 << 16, 2 * kernelBytes >> 16
		hub := k.hub(t, &parley.Options{
			Keep:   []parley.KeepRule{{Pattern: "user:*", Messages: 1 << 20, Bytes: 1 << 30}},
			Limits: parley.Limits{WriteTimeout: 2 * time.Second, PingInterval: 5 * time.Second},
		})
		m := newMail(t, k, hub, nil)
		for i := range total {
			if err := hub.Send(t.Context(), bob, filled(i, size)); err != nil {
				t.Fatal(err)
			}
		}
		m.as(t, "bob", nil)
		until(t, "it is closed", func() bool { return hub.Stats().SlowClosed == 1 })
		if n := m.as(t, "bob", nil).followed(total - 1); n != total {
			t.Errorf("got %d messages, want %d", n, total)
		}
	})
}

// TestTrimmedWhileSlow has a log trimmed before a client read it: it gets what is
// left, and that is counted.
func TestTrimmedWhileSlow(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		const size, total = 1 << 14, 2 * kernelBytes >> 14
		hub := k.hub(t, &parley.Options{
			Keep:   []parley.KeepRule{{Pattern: "group:*", Messages: 10}},
			Limits: parley.Limits{WriteTimeout: time.Hour},
		})
		m := newMail(t, k, hub, nil)
		w := m.in(t, g, nil)
		for i := range total {
			if err := hub.Send(t.Context(), g, filled(i, size)); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.followed(total - 1); n == total {
			t.Error("nothing was trimmed")
		}
		if stats := hub.Stats(); stats.Trimmed == 0 || stats.SlowClosed > 0 {
			t.Errorf("got %+v", stats)
		}
	})
}

// TestBusyDelivererReads has a Deliverer busy while more is kept for it than its
// queue takes: what is not kept has room, and all of it comes in order.
func TestBusyDelivererReads(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Limits: parley.Limits{DeliverQueue: 8}, Keep: keepAll()})
		free, busy := make(chan struct{}), make(chan struct{}, 1)
		m := newMail(t, k, hub, func(c consumer) parley.Consumer {
			return deliverer{c, func(c *parley.Conn, m parley.Message) error {
				select {
				case busy <- struct{}{}:
				default:
				}
				<-free
				return c.Reply(m)
			}}
		})
		w := m.in(t, g, nil)
		keep(t, hub, g, 0, 100)
		await(t, busy, "Deliver")
		for range 3 {
			if err := hub.Send(t.Context(), g, parley.Text("not kept"), parley.Keep(false)); err != nil {
				t.Fatal(err)
			}
		}
		w.quiet()
		close(free)
		if n := w.followed(99); n != 100 {
			t.Errorf("got %d messages, want 100", n)
		}
		keep(t, hub, g, 100, 101)
		w.expectMessage(`text "100"`)
	})
}

// TestSmallestBounds has followers get everything where hardly anything may wait.
func TestSmallestBounds(t *testing.T) {
	t.Parallel()
	onWraps(t, unlike, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		opts := smallest()
		opts.Keep = keepAll()
		if wrap != nil {
			opts.Limits.SendQueueBytes = 1000 // a Deliverer's replies are not kept
		}
		hub := k.hub(t, opts)
		m := newMail(t, k, hub, wrap)
		var all []*wire
		for range 5 {
			all = append(all, m.in(t, g, nil), m.as(t, "bob", nil))
		}
		keep(t, hub, g, 0, 100)
		keep(t, hub, bob, 0, 100)
		for _, w := range all {
			w.numbers(0, 100)
		}
		for i, w := range all {
			if i%2 == 1 {
				w.acknowledge()
			}
		}
		m.as(t, "bob", nil).quiet()
	})
}
