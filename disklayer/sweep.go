package disklayer

import (
	"errors"

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

// sweepChunk is how many keys are looked at in one step.
const sweepChunk = 256

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
		for i, key := range keys {
			err = errors.Join(err, w.cursor(key, values[i]))
		}
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
	bucket := w.s.bucket(w.s.cfg.now().UnixNano())
	if bucket == w.expired {
		return nil
	}
	w.expired = bucket
	return w.s.run(false, func(b *pebble.Batch) { _ = b.DeleteRange(dedupStart(0), dedupStart(bucket-1), nil) })
}

// logs trims logs that may have messages too old, and drops the bookkeeping of
// those that had none for long.
func (w *sweep) logs(keys, values [][]byte) (errs error) {
	var old []parley.Address
	unused := map[parley.Address]parley.Retention{}
	now := w.s.cfg.now()
	for i, key := range keys {
		a, _, ok := cutAddress(key[1:])
		k, err := parseBookkeeping(values[i])
		if !ok || err != nil {
			return errRecord
		}
		keep, ok := w.s.hubs.retention(a)
		if !ok || k.first.time != 0 && k.first.time >= now.Add(-keep.Age).UnixNano() {
			continue
		}
		old = append(old, a)
		if k.head.time < now.Add(-keep.CursorAge()).UnixNano() {
			unused[a] = keep
		}
	}
	errs = w.s.trim(old)
	for a, keep := range unused {
		errs = errors.Join(errs, w.drop(a, keep))
	}
	return errs
}

// drop deletes a log's bookkeeping, if it was not used for long.
func (w *sweep) drop(a parley.Address, keep parley.Retention) error {
	s := w.s
	if named, err := s.namedCursors(a, keep); err != nil || len(named) > 0 {
		return err
	}
	l, err := s.log(a)
	if err != nil {
		return err
	}
	defer s.logs.unpin(l)
	before := s.cfg.now().Add(-keep.CursorAge()).UnixNano()
	l.mu.Lock()
	raises := l.head.seq > s.floor.Load()
	l.mu.Unlock()
	// The floor is the head of logs that are not there: a place that is handed out.
	return s.run(raises, func(b *pebble.Batch) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.stored || l.trimmed <= l.head.seq || l.head.time >= before {
			return
		}
		l.stored, l.base = false, l.head.seq
		s.raiseFloor(b, l.head.seq)
		_ = b.Delete(addressKey(keyLog, a), nil)
	})
}

// cursor drops a named cursor that was not moved for long.
func (w *sweep) cursor(key, value []byte) error {
	a, name, ok := cutAddress(key[1:])
	at, err := w.s.parseNamed(value)
	if !ok || err != nil {
		return errRecord
	}
	keep, ok := w.s.hubs.retention(a)
	if !ok || at.moved >= w.s.cfg.now().Add(-keep.CursorAge()).UnixNano() {
		return nil
	}
	w.s.cursors.flushing.Lock()
	defer w.s.cursors.flushing.Unlock()
	if stored, err := w.s.storedCursors(a); err != nil || stored[string(name)] != at || w.s.cursors.of(a)[string(name)] != nil {
		return err // it was moved meanwhile
	}
	w.s.cursors.forgetStored(a)
	forget, err := w.s.forgetting(a, map[string]named{string(name): at})
	if err != nil {
		return err
	}
	return w.s.run(false, forget)
}
