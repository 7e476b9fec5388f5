package disklayer

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/parley-rt/parley"
)

// keeper is the store's housekeeping: it trims, sweeps, measures, and writes
// cursors, one after the other on its goroutine.
type keeper struct {
	wake    chan struct{}
	stopped chan struct{}
	once    sync.Once

	mu   sync.Mutex // guards what follows
	due  []parley.Address
	look bool // space is to be measured
	save bool // cursors are to be written
}

// measureBytes is how much may be written before space is measured again.
const measureBytes = 16 << 20

func (k *keeper) init() { k.wake, k.stopped = make(chan struct{}, 1), make(chan struct{}) }

func (k *keeper) stop() { k.once.Do(func() { close(k.stopped) }) }

func (k *keeper) isStopped() bool {
	select {
	case <-k.stopped:
		return true
	default:
		return false
	}
}

func (k *keeper) wakeUp() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// trimSoon has a log trimmed.
func (k *keeper) trimSoon(a parley.Address) {
	k.mu.Lock()
	k.due = append(k.due, a)
	k.mu.Unlock()
	k.wakeUp()
}

// measureSoon has space measured.
func (k *keeper) measureSoon() {
	k.mu.Lock()
	k.look = true
	k.mu.Unlock()
	k.wakeUp()
}

// flushSoon has cursors written.
func (k *keeper) flushSoon() {
	k.mu.Lock()
	k.save = true
	k.mu.Unlock()
	k.wakeUp()
}

// take returns what is to be done.
func (k *keeper) take() (due []parley.Address, look, save bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	due, look, save = k.due, k.look, k.save
	k.due, k.look, k.save = nil, false, false
	return due, look, save
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
			err = s.flushCursors()
		case <-next.C:
			var over bool
			over, err = sweep.step()
			if over || err != nil {
				next.Reset(s.cfg.sweepEvery)
			} else {
				next.Reset(s.cfg.sweepPause)
			}
		}
		if err != nil && s.fs.err() == nil {
			s.cfg.Logger.Error("disklayer: housekeeping", "dir", s.cfg.dir, "err", err)
		}
	}
}

// keepUp does what the keeper was woken for.
func (s *store) keepUp() error {
	due, look, save := s.keeper.take()
	if look {
		s.measure()
	}
	var err error
	if save {
		err = s.flushCursors()
	}
	for logs := range slices.Chunk(due, sweepChunk) {
		if s.keeper.isStopped() {
			return err
		}
		err = errors.Join(err, s.trim(logs))
	}
	return err
}
