package parley_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestStressBlockedCallbacks has many consumers block: the others' messages take
// no longer than before.
func TestStressBlockedCallbacks(t *testing.T) {
	for _, k := range engines {
		t.Run(k.String(), func(t *testing.T) {
			blocked := 5000
			if testing.Short() || raceEnabled {
				blocked = 500
			}
			hub, goOn := k.hub(t, nil), make(chan bool)
			var waiting sync.WaitGroup
			blocks := newSite(t, k.transport, hub, func() parley.Consumer {
				return consumer{receive: func(*parley.Conn, parley.Message) error { waiting.Done(); <-goOn; return nil }}
			})
			w := newSite(t, k.transport, hub, newEcho).open(t)
			const attempts = 5
			w.roundTrips(100)
			before := quickest(attempts, func() time.Duration { return latency(w) })
			waiting.Add(blocked)
			for _, nc := range blocks.raw(t, blocked) {
				write(t, nc, text("a")+text("b"))
			}
			waiting.Wait()
			after := quickest(attempts, func() time.Duration { return latency(w) })
			t.Logf("99 of 100 messages came back within %v, with %d blocked within %v", before, blocked, after)
			if limit := before + 2*time.Millisecond; !raceEnabled && after > limit {
				t.Errorf("%d blocked consumers slow the others down from %v to %v", blocked, before, after)
			}
			waiting.Add(blocked) // the second message of each
			close(goOn)
			waiting.Wait()
		})
	}
}

// latency returns how long 99 of 100 messages take at most to come back.
func latency(w *wire) time.Duration {
	w.t.Helper()
	var took []time.Duration
	for range 1000 {
		start := time.Now()
		w.roundTrips(1)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}
