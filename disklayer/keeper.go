package disklayer

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/parley-rt/parley"
)

// keeper is the store's housekeeping: it trims, sweeps and measures, one after the
// other on its goroutine, and writes cursors on another one, since those of many
// users take a while.
type keeper struct {
	wake    chan struct{}
	moved   chan struct{} // holds one when there are cursors to write
	save    chan struct{} // holds one when they are many, and to be written at once
	stopped chan struct{}
	once    sync.Once

	mu   sync.Mutex // guards what follows
	due  []parley.Address
	look bool // space is to be measured
}

func (k *keeper) init() {
	k.wake, k.moved, k.save = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	k.stopped = make(chan struct{})
}

func (k *keeper) stop() { k.once.Do(func() { close(k.stopped) }) }

func (k *keeper) isStopped() bool {
	select {
	case <-k.stopped:
		return true
	default:
		return false
	}
}

func wakeUp(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// trimSoon has a log trimmed.
func (k *keeper) trimSoon(a parley.Address) {
	k.mu.Lock()
	k.due = append(k.due, a)
	k.mu.Unlock()
	wakeUp(k.wake)
}

// measureSoon has space measured.
func (k *keeper) measureSoon() {
	k.mu.Lock()
	k.look = true
	k.mu.Unlock()
	wakeUp(k.wake)
}

// take returns what is to be done.
func (k *keeper) take() (due []parley.Address, look bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	due, look = k.due, k.look
	k.due, k.look = nil, false
	return due, look
}

func (s *store) keepLoop() {
	tick := time.NewTicker(s.cfg.tick)
	defer tick.Stop()
	sweep := &sweep{s: s}
	next := time.NewTimer(s.cfg.sweepEvery)
	defer next.Stop()
	for {
		var err error
		select {
		case <-s.keeper.stopped:
			return
		case <-s.fs.failed:
			return
		case <-s.keeper.wake:
			err = s.keepUp()
		case <-tick.C:
			s.measure()
			err = s.keepClock()
		case <-next.C:
			var over bool
			began := time.Now()
			over, err = sweep.step()
			if over {
				next.Reset(s.cfg.sweepEvery)
			} else {
				next.Reset(max(s.cfg.sweepPause, time.Since(began))) // half a processor at most
			}
		}
		s.housekeeping(err)
	}
}

// housekeeping logs an error that is not the store's end.
func (s *store) housekeeping(err error) {
	if err != nil && s.fs.err() == nil {
		s.cfg.Logger.Error("disklayer: housekeeping", "dir", s.cfg.dir, "err", err)
	}
}

// savePace is how many times longer than the work of writing cursors the next pause
// is, at least: it takes a tenth of a processor at most.
const savePace = 9

// saveLoop writes cursors, with pauses between. It sleeps while none moves.
func (s *store) saveLoop() {
	next := time.Now().Add(s.cfg.saveEvery)
	for s.waits(s.keeper.moved, nil) {
		pause := time.NewTimer(time.Until(next))
		goesOn := s.waits(s.keeper.save, pause.C)
		pause.Stop()
		if !goesOn {
			return
		}
		work, err := s.flushTimed()
		s.housekeeping(err)
		next = time.Now().Add(max(s.cfg.saveEvery, savePace*work))
	}
}

// waits waits for either channel, and reports false where the store ends first.
func (s *store) waits(woken <-chan struct{}, passed <-chan time.Time) bool {
	select {
	case <-s.keeper.stopped:
		return false
	case <-s.fs.failed:
		return false
	case <-woken:
	case <-passed:
	}
	return true
}

// keepUp does what the keeper was woken for.
func (s *store) keepUp() error {
	due, look := s.keeper.take()
	if look {
		s.measure()
	}
	var err error
	for logs := range slices.Chunk(due, sweepChunk) {
		if s.keeper.isStopped() {
			return err
		}
		err = errors.Join(err, s.trim(logs))
	}
	return err
}
