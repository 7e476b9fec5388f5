package disklayer

import (
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley/internal/clock"
)

// The clock is stored with what is synced, and where nothing is, now and then: a
// process that is killed loses as much of its progress.
const (
	clockEvery     = int64(time.Second)
	idleClockEvery = int64(time.Minute)
)

// stateNumbers is how many numbers are stored of a clock before its leaps, of two each.
const stateNumbers = 5

// resumeClock has the layer's clock go on from where that of the directory was.
func (s *store) resumeClock() error {
	n, err := s.numbers(metaClock)
	switch {
	case err != nil:
		return err
	case len(n) == 0: // it is new, or an earlier version wrote it
		s.cfg.clock.Resume(nil)
		return nil
	case len(n) < stateNumbers || len(n)%2 == 0:
		return errRecord
	}
	at := clock.State{Time: int64(n[0]), Leapt: int64(n[1]), Ahead: int64(n[2]), Held: int64(n[3]), Since: int64(n[4])}
	for leap := range slices.Chunk(n[stateNumbers:], 2) {
		at.Leaps = append(at.Leaps, clock.Leap{At: int64(leap[0]), By: int64(leap[1])})
	}
	s.cfg.clock.Resume(&at)
	return nil
}

// putClock stores the clock.
func (s *store) putClock(b *pebble.Batch) {
	at := s.cfg.clock.State()
	n := []uint64{uint64(at.Time), uint64(at.Leapt), uint64(at.Ahead), uint64(at.Held), uint64(at.Since)}
	for _, leap := range at.Leaps {
		n = append(n, uint64(leap.At), uint64(leap.By))
	}
	s.setNumbers(b, metaClock, n...)
	s.clocked.Store(at.Time)
}

// keepClock has the committer store the clock of a store that nothing is written to.
func (s *store) keepClock() error {
	if s.cfg.clock.Now()-s.clocked.Load() < idleClockEvery {
		return nil
	}
	return s.run(true, func(*pebble.Batch) {})
}
