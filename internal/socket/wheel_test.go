package socket

import (
	"math/rand/v2"
	"testing"
	"time"
)

func newWheel(interval time.Duration) *wheel {
	cfg := testConfig()
	cfg.PingInterval = interval
	w := &wheel{}
	w.init(cfg)
	return w
}

// TestWheelModel adds and removes connections at random: each is found under its
// place and generation until it is removed, and nobody is after, whoever has the
// place then.
func TestWheelModel(t *testing.T) {
	t.Parallel()
	type name struct {
		place      place
		generation uint32
	}
	w, r := newWheel(10*time.Second), rand.New(rand.NewPCG(1, 2))
	held, gone := make(map[*Conn]name), make(map[name]bool)
	slots := 0
	for range 20_000 {
		if r.IntN(2) == 0 || len(held) > 50 {
			for c, n := range held { // any
				delete(held, c)
				gone[n] = true
				w.remove(c)
				break
			}
		} else {
			c := &Conn{}
			check(t, w.add(c))
			held[c] = name{c.place, w.generation(c)}
		}
		if r.IntN(20) == 0 {
			for range w.turn() {
			}
		}
	}
	for c, n := range held {
		if w.find(n.place, n.generation) != c || gone[n] {
			t.Errorf("connection at %v is not found", n)
		}
	}
	for n := range gone {
		if c := w.find(n.place, n.generation); c != nil {
			t.Errorf("%v finds a connection, which is at %v", n, held[c])
		}
	}
	for c := range w.all() {
		delete(held, c)
	}
	if len(held) > 0 {
		t.Errorf("all yields %d too few", len(held))
	}
	for i := range w.buckets {
		slots += len(w.buckets[i].slots)
	}
	if most := 52 * len(w.buckets); slots > most {
		t.Errorf("there are %d slots, want %d at most: those that are free are not used again", slots, most)
	}
}

// TestWheelSpread adds many connections at once: each is pinged once in an
// interval, first after three quarters of it, and never many at once.
func TestWheelSpread(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{time.Millisecond, 25 * time.Second, time.Hour} {
		w := newWheel(interval)
		n := len(w.buckets)
		for range n / 3 {
			w.turn()
		}
		total := 10 * (n/4 + 1)
		for range total {
			check(t, w.add(&Conn{}))
		}
		for round := range 3 {
			pinged := make(map[*Conn]bool)
			for turn := range n {
				at := 0
				for c := range w.turn() {
					pinged[c] = true
					at++
				}
				if at > 0 && turn+1 < n*3/4 || at > 10 {
					t.Errorf("every %v, round %d: turn %d of %d pings %d", interval, round, turn+1, n, at)
				}
			}
			if len(pinged) != total {
				t.Errorf("every %v, round %d: %d of %d were pinged", interval, round, len(pinged), total)
			}
		}
	}
}

// TestWheelChangesWhileTurning removes the connection that is yielded and one
// that is not yet, and adds one, at each step: those that were there and are not
// removed are yielded, and none that is gone.
func TestWheelChangesWhileTurning(t *testing.T) {
	t.Parallel()
	w := newWheel(time.Millisecond) // one bucket
	left, added := make(map[*Conn]bool), make(map[*Conn]bool)
	for range 100 {
		c := &Conn{}
		check(t, w.add(c))
		left[c] = true
	}
	for c := range w.turn() {
		if added[c] {
			continue // in the place of one that was removed
		}
		if !left[c] {
			t.Fatal("a connection that is gone, or was before, is yielded")
		}
		delete(left, c)
		w.remove(c)
		for other := range left { // any
			delete(left, other)
			w.remove(other)
			break
		}
		late := &Conn{}
		check(t, w.add(late))
		added[late] = true
	}
	if len(left) > 0 {
		t.Errorf("%d were not yielded", len(left))
	}
}

// TestWheelFull refuses more connections than places can name.
func TestWheelFull(t *testing.T) {
	t.Parallel()
	w := newWheel(time.Millisecond)
	for range slotMask + 1 {
		check(t, w.add(&Conn{}))
	}
	c := &Conn{}
	if err := w.add(c); err != errFull {
		t.Fatalf("add returned %v, want %v", err, errFull)
	}
	for other := range w.all() {
		w.remove(other)
		break
	}
	check(t, w.add(c))
	if w.find(c.place, w.generation(c)) != c {
		t.Error("the last one is not found")
	}
}
