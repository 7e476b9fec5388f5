package parley_test

import (
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestStressBlockedCallbacks has many consumers block: the others' messages take
// no longer than before.
func TestStressBlockedCallbacks(t *testing.T) {
	blocked := 5000
	if testing.Short() || raceEnabled {
		blocked = 500
	}
	hub := newHub(t, nil)
	goOn := make(chan bool)
	var waiting sync.WaitGroup
	blocks := newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{receive: func(*parley.Conn, parley.Message) error { waiting.Done(); <-goOn; return nil }}
	})
	w := newSite(t, "tcp", hub, newEcho).open(t)
	before := latency(w)
	waiting.Add(blocked)
	for range blocked {
		blocks.open(t).send(text("a"), text("b"))
	}
	waiting.Wait()
	after := latency(w)
	t.Logf("99 of 100 messages came back within %v, with %d blocked within %v", before, blocked, after)
	if limit := 10*before + 20*time.Millisecond; !raceEnabled && after > limit {
		t.Errorf("%d blocked consumers slow the others down from %v to %v", blocked, before, after)
	}
	waiting.Add(blocked) // the second message of each
	close(goOn)
	waiting.Wait()
}

// latency returns how long 99 of 100 messages take at most to come back.
func latency(w *wire) time.Duration {
	w.t.Helper()
	var took []time.Duration
	for range 1000 {
		start := time.Now()
		w.send(text("a"))
		w.expect(`text "a"`)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// TestStressChurn connects and disconnects again and again, half of the time by
// a reset: each connection ends once, and nothing of it is left.
func TestStressChurn(t *testing.T) {
	rounds, workers := 10_000, 8
	if testing.Short() || raceEnabled {
		rounds = 2000
	}
	hub := parley.NewHub(nil)
	var connects, disconnects atomic.Int64
	s := newSite(t, "tcp", hub, func() parley.Consumer { return &churned{connects: &connects, disconnects: &disconnects} })
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for round := range rounds / workers {
				churn(t, s, (i+round)%4)
			}
		})
	}
	all.Wait()
	hubCloses(t, hub)
	if c, d := connects.Load(), disconnects.Load(); d != c || c < int64(rounds)/2 {
		t.Errorf("%d of %d were connected, %d disconnected", c, rounds, d)
	}
	if left := parley.Left(hub); left != "" {
		t.Error(left)
	}
	until(t, "goroutines and descriptors are gone", func() bool {
		return runtime.NumGoroutine() <= goroutines && openDescriptors(t) <= descriptors
	})
}

// churn makes one connection, and ends it in one of four ways.
func churn(t *testing.T, s *site, way int) {
	w := s.connect(t)
	w.send(handshake, text("a"))
	switch way {
	case 0: // at once
	case 1, 2:
		w.accepted()
		w.expect(`text "a"`)
	case 3:
		w.accepted()
		w.send(closing(1000, ""))
		w.transcript()
		_ = w.nc.Close()
		return
	}
	if way == 1 {
		_ = w.nc.Close()
	} else {
		reset(t, w)
	}
}

// churned joins and leaves, and counts.
type churned struct {
	parley.Base
	connects, disconnects *atomic.Int64
	gone                  atomic.Bool
}

func (f *churned) Connect(c *parley.Conn) error {
	f.connects.Add(1)
	c.Address()
	return c.Identify("ann")
}

func (f *churned) Receive(c *parley.Conn, m parley.Message) error {
	if err := c.Join(parley.Group(c.ID().String()), nil); err != nil {
		return err
	}
	return c.Reply(m)
}

func (f *churned) Disconnect(*parley.Conn, parley.CloseCode) {
	if !f.gone.Swap(true) {
		f.disconnects.Add(1)
	} else {
		f.disconnects.Add(1 << 32)
	}
}

// openDescriptors returns how many descriptors are open, where that is known.
func openDescriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Logf("descriptors are not counted: %v", err)
	}
	return len(entries)
}

// until waits for what tells nobody that it happened.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
