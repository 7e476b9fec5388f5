package disklayer

import (
	"errors"
	"sort"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
)

// A log is trimmed once it holds more than its retention by an eighth, or by
// these, so that trimming costs little per message. trimBytes is how far a log
// may grow beyond its retention while trimming lags, if that is more than the
// retention.
const (
	trimMessages = 64
	trimSlack    = 8 << 20
)

// checkTrim has the log trimmed where it is too long. held is how many bytes it
// has. Called with l.mu held.
func (s *store) checkTrim(l *logState, keep parley.Retention, held uint64) {
	count := l.head.seq + 1 - max(l.first.seq, l.trimmed)
	if l.due || count <= uint64(keep.Messages+max(keep.Messages/8, trimMessages)) && held <= uint64(keep.Bytes+keep.Bytes/8) {
		return
	}
	l.due = true
	s.keeper.trimSoon(l.addr)
}

// bounds returns the oldest place of a log that is kept, and the newest that is
// safe.
func (s *store) bounds(l *logState, keep parley.Retention) (first, head uint64, err error) {
	cutoff := s.cfg.now().Add(-keep.Age).UnixNano()
	l.mu.Lock()
	newest, kept, oldest := s.readable(l), l.keptLocked(keep), l.first.time
	l.mu.Unlock()
	if kept > newest.seq || oldest >= cutoff && oldest != 0 {
		return kept, newest.seq, nil
	}
	m, err := s.search(l.addr, kept, newest, func(m, _ mark) bool { return m.time >= cutoff })
	if err != nil {
		return 0, 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moveFirstLocked(m)
	return m.seq, newest.seq, nil
}

// search returns the first message from a place on, up to the newest, for which
// keep is true, as it is for all behind it; or what follows the newest. keep is
// given the message's mark, and the one it has as a log's first: with the bytes
// before it. That one is returned.
func (s *store) search(a parley.Address, from uint64, newest mark, keep func(m, first mark) bool) (mark, error) {
	found := mark{seq: newest.seq + 1, bytes: newest.bytes}
	if err := s.enter(); err != nil {
		return found, err
	}
	var failed error
	try := func(seq uint64) bool {
		m, first, err := s.mark(a, seq)
		if errors.Is(err, pebble.ErrNotFound) {
			return false // trimmed meanwhile
		}
		if err != nil {
			failed = err
			return true
		}
		if !keep(m, first) {
			return false
		}
		if first.seq < found.seq {
			found = first
		}
		return true
	}
	if n := int(newest.seq + 1 - from); n > 0 && !try(from) && try(newest.seq) {
		sort.Search(n-1, func(i int) bool { return try(from + 1 + uint64(i)) })
	}
	return found, s.leave(failed)
}

// mark returns a message's mark, and the one it has as a log's first.
func (s *store) mark(a parley.Address, seq uint64) (m, first mark, err error) {
	value, closer, err := s.db.Get(messageKey(a, seq))
	if err != nil {
		return m, first, err
	}
	defer closer.Close()
	e, err := parseRecord(value, a, parley.Cursor{Seq: seq})
	if err != nil {
		return m, first, err
	}
	m, err = markOf(seq, value)
	return m, mark{seq, m.time, m.bytes - uint64(len(e.Data))}, err
}

// trim deletes what is beyond the retention of a log. The keeper calls it.
func (s *store) trim(a parley.Address) error {
	keep, ok := s.hubs.retention(a)
	if !ok {
		return nil
	}
	l, err := s.log(a)
	if err != nil {
		return err
	}
	defer s.logs.unpin(l)
	cutoff := s.cfg.now().Add(-keep.Age).UnixNano()
	l.mu.Lock()
	l.due = false
	newest, kept, trimmed := l.safe, l.keptLocked(keep), l.trimmed
	l.mu.Unlock()
	least := newest.bytes - min(newest.bytes, uint64(keep.Bytes))
	first, err := s.search(a, kept, newest, func(m, first mark) bool { return m.time >= cutoff && first.bytes >= least })
	if err != nil || first.seq == trimmed {
		return err
	}
	return s.run(false, func(b *pebble.Batch) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.moveFirstLocked(first)
		l.trimmed = first.seq
		_ = b.DeleteRange(messageKey(a, trimmed), messageKey(a, first.seq), nil)
		s.putBookkeeping(b, l)
	})
}
