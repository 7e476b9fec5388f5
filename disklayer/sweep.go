package disklayer

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
)

// sweep goes through all logs and named cursors, a chunk at a time, and drops
// what is too old.
type sweep struct {
	s       *store
	next    []byte // where the next chunk begins; nil at the beginning
	expired uint64 // the bucket in which claims were last dropped
}

// sweepChunk is how many keys are looked at in one step, which syncs once or twice.
const sweepChunk = 1024

// step does the next chunk, and reports whether it was the last one.
func (w *sweep) step() (over bool, err error) {
	if w.next == nil {
		if err := w.forgetClaims(); err != nil {
			return true, err
		}
		w.next = []byte{keyLog}
	}
	kind := w.next[0]
	keys, values, err := w.s.keys(w.next, []byte{kind + 1}, sweepChunk)
	if err != nil {
		return true, err
	}
	if kind == keyLog {
		err = w.logs(keys, values)
	} else {
		err = w.cursors(keys, values)
	}
	switch {
	case len(keys) == sweepChunk:
		w.next = append(keys[len(keys)-1], 0)
	case kind == keyLog:
		w.next = []byte{keyCursor}
	default:
		w.next = nil
	}
	return w.next == nil, err
}

// keys returns the first keys of a range, with their values.
func (s *store) keys(from, to []byte, limit int) (keys, values [][]byte, err error) {
	if err := s.enter(); err != nil {
		return nil, nil, err
	}
	err = func() error {
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
		if err != nil {
			return err
		}
		for ok := it.First(); ok && len(keys) < limit; ok = it.Next() {
			keys = append(keys, append([]byte(nil), it.Key()...))
			values = append(values, append([]byte(nil), it.Value()...))
		}
		return it.Close()
	}()
	return keys, values, s.leave(err)
}

// forgetClaims drops dedup keys whose window is over.
func (w *sweep) forgetClaims() error {
	bucket := w.s.bucket(w.s.cfg.clock.Now())
	if bucket == w.expired {
		return nil
	}
	w.expired = bucket
	return w.s.run(false, func(b *pebble.Batch) { _ = b.DeleteRange(dedupStart(0), dedupStart(max(bucket, 1)-1), nil) })
}

// logs trims logs that may have messages too old, and drops the bookkeeping of
// those that had none for long. One that cannot be read holds up no other.
func (w *sweep) logs(keys, values [][]byte) (errs error) {
	var old, unused []parley.Address
	for i, key := range keys {
		a, _, ok := cutAddress(key[1:])
		k, err := parseBookkeeping(values[i])
		if !ok || err != nil {
			errs = errors.Join(errs, fmt.Errorf("the log %q: %w", key[1:], errRecord))
			continue
		}
		keep, ok := w.s.hubs.retention(a)
		if !ok || k.first.time != 0 && k.first.time >= w.s.cfg.clock.Before(keep.Age) {
			continue
		}
		old = append(old, a)
		if k.head.time < w.s.cfg.clock.Before(keep.CursorAge()) {
			unused = append(unused, a)
		}
	}
	return errors.Join(errs, w.s.trim(old), w.drop(unused))
}

// drop deletes the bookkeeping of logs that were not used for long, in one batch. It
// is synced: the head of such a log, which may be told at once, is then the floor, and
// both are to survive. Until they do the logs are pinned, and the floor is the old one.
func (w *sweep) drop(logs []parley.Address) (errs error) {
	if len(logs) == 0 {
		return nil
	}
	s := w.s
	s.cursors.flushing.Lock() // so that no cursor is written meanwhile
	defer s.cursors.flushing.Unlock()
	var unused []*logState
	for _, a := range logs {
		l, err := w.unused(a)
		errs = errors.Join(errs, s.housekept(a, err))
		if l != nil {
			defer s.logs.unpin(l)
			unused = append(unused, l)
		}
	}
	if len(unused) == 0 {
		return errs
	}
	floor := s.floor.Load()
	err := s.run(true, func(b *pebble.Batch) {
		for _, l := range unused {
			floor = max(floor, w.forgetLog(b, l))
		}
		s.setNumbers(b, metaFloor, floor)
	})
	if err == nil {
		s.floor.Store(floor)
	}
	return errors.Join(errs, err)
}

// unused returns a log, pinned, if it has no named cursor.
func (w *sweep) unused(a parley.Address) (*logState, error) {
	keep, ok := w.s.hubs.retention(a)
	if !ok {
		return nil, nil
	}
	if named, err := w.s.namedCursors(a, keep); err != nil || len(named) > 0 {
		return nil, err
	}
	return w.s.log(a)
}

// forgetLog deletes the bookkeeping of a log without messages, unless it was used
// meanwhile, and returns its head then.
func (w *sweep) forgetLog(b *pebble.Batch, l *logState) (head uint64) {
	keep, ok := w.s.hubs.retention(l.addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ok || !l.stored || l.trimmed <= l.head.seq || l.head.time >= w.s.cfg.clock.Before(keep.CursorAge()) {
		return 0
	}
	l.stored, l.base = false, l.head.seq
	_ = b.Delete(addressKey(keyLog, l.addr), nil)
	return l.head.seq
}

// cursors drops named cursors that were not moved for long, in one batch.
func (w *sweep) cursors(keys, values [][]byte) (errs error) {
	s := w.s
	old := map[parley.Address]parley.Retention{}
	for i, key := range keys {
		a, _, ok := cutAddress(key[1:])
		at, err := s.parseNamed(values[i])
		if !ok || err != nil {
			errs = errors.Join(errs, fmt.Errorf("the cursor %q: %w", key[1:], errRecord))
			continue
		}
		keep, ok := s.hubs.retention(a)
		if ok && at.moved < s.cfg.clock.Before(keep.CursorAge()) {
			old[a] = keep
		}
	}
	s.cursors.flushing.Lock()
	defer s.cursors.flushing.Unlock()
	var changes []func(*pebble.Batch)
	for a, keep := range old {
		stored, all, err := s.movedCursors(a, keep)
		if err == nil {
			var change func(*pebble.Batch)
			if change, err = s.cursorChange(a, stored, all); err == nil {
				changes = append(changes, change)
				s.cursors.forgetStored(a)
			}
		}
		errs = errors.Join(errs, s.housekept(a, err))
	}
	if len(changes) == 0 {
		return errs
	}
	return errors.Join(errs, s.run(true, func(b *pebble.Batch) {
		for _, change := range changes {
			change(b)
		}
	}))
}
