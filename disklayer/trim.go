package disklayer

import (
	"errors"
	"sort"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
)

// A log is trimmed once it holds more than its retention by an eighth, or by
// these, so that trimming costs little per message. trimSlack is how far a log
// may grow beyond its retention while the keeper lags, if that is more than the
// retention: then the committer trims it.
const (
	trimMessages = 64
	trimSlack    = 8 << 20
)

// tombstones is how many logs are trimmed before tables are written for its sake:
// the first read after a range was deleted looks at all such ranges in memory.
const tombstones = 1000

// checkTrim has the log trimmed where it is too long. held is how many bytes it
// has. Called with l.mu held.
func (s *store) checkTrim(l *logState, keep parley.Retention, held uint64) {
	count := l.head.seq + 1 - max(l.first.seq, l.trimmed)
	if l.due || l.head.seq < l.held && held <= uint64(keep.Bytes+keep.Bytes/8) || count <= uint64(keep.Messages+max(keep.Messages/8, trimMessages)) && held <= uint64(keep.Bytes+keep.Bytes/8) {
		return
	}
	l.due = true
	s.keeper.trimSoon(l.addr)
}

// bounds returns a log's oldest message that is kept, and the newest that is
// safe. The time of the oldest is 0 where it is not known.
func (s *store) bounds(l *logState, keep parley.Retention) (first, newest mark, err error) {
	cutoff := s.cfg.clock.Before(keep.Age)
	l.mu.Lock()
	newest, first = s.readable(l), l.first
	kept := l.keptLocked(keep, func(upTo uint64) uint64 { return s.acknowledged(l, upTo) })
	l.mu.Unlock()
	least := newest.bytes - min(newest.bytes, uint64(keep.Bytes))
	free := newest.seq // claims on an inbox hold what is behind it
	if l.addr.IsInbox() && first.bytes < least {
		free = s.acknowledged(l, newest.seq)
	}
	holds := func(m mark) bool { return m.time >= cutoff && (m.bytes >= least || m.seq > free) }
	if kept > newest.seq {
		return mark{seq: kept, bytes: newest.bytes}, newest, nil
	}
	if first.time != 0 && holds(first) {
		if kept > first.seq {
			first = mark{seq: kept}
		}
		return first, newest, nil
	}
	first, err = s.search(l.addr, kept, newest, holds)
	if err != nil {
		return first, newest, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moveFirstLocked(first)
	return first, newest, nil
}

// search returns the first message from a place on, up to the newest, for which
// keep is true, as it is for all behind it; or what follows the newest. Its bytes
// are those before it.
func (s *store) search(a parley.Address, from uint64, newest mark, keep func(mark) bool) (mark, error) {
	if err := s.enter(); err != nil {
		return mark{}, err
	}
	found := mark{seq: newest.seq + 1, bytes: newest.bytes}
	var failed error
	try := func(seq uint64) bool {
		m, err := s.firstMark(a, seq)
		switch {
		case errors.Is(err, pebble.ErrNotFound): // trimmed meanwhile
			return false
		case err != nil:
			failed = err
			return true
		case !keep(m):
			return false
		}
		found = m // the last one for which keep is true is the first one
		return true
	}
	// It is near from, mostly.
	below, step := from, uint64(1)
	for below < found.seq && !try(min(below+step-1, newest.seq)) {
		below += step
		step *= 2
	}
	if n := found.seq - min(below, found.seq); failed == nil && n > 0 {
		sort.Search(int(n), func(i int) bool { return try(below + uint64(i)) })
	}
	return found, s.leave(failed)
}

// firstMark returns the mark that a message has as its log's first: with the
// bytes before it.
func (s *store) firstMark(a parley.Address, seq uint64) (mark, error) {
	value, closer, err := s.db.Get(messageKey(a, seq))
	if err != nil {
		return mark{}, err
	}
	defer closer.Close()
	m, err := markOf(seq, value)
	if err != nil {
		return m, err
	}
	n, err := dataSize(value)
	m.bytes -= uint64(n)
	return m, err
}

// trim deletes what is beyond the retention of logs, in one batch. The keeper
// calls it.
func (s *store) trim(logs []parley.Address) error {
	var changes []func(*pebble.Batch)
	var errs error
	for _, a := range logs {
		l, err := s.log(a)
		if err != nil {
			errs = errors.Join(errs, s.housekept(a, err))
			continue
		}
		defer s.logs.unpin(l)
		change, err := s.trimming(l)
		errs = errors.Join(errs, s.housekept(a, err))
		if change != nil {
			changes = append(changes, change)
		}
	}
	if len(changes) == 0 {
		return errs
	}
	err := s.run(false, func(b *pebble.Batch) {
		for _, change := range changes {
			change(b)
		}
	})
	if s.trims += len(changes); s.trims >= tombstones {
		s.flushTables()
	}
	return errors.Join(errs, err)
}

// trimNow trims a log for which the keeper is too slow. The committer calls it.
func (s *store) trimNow(b *pebble.Batch, l *logState) {
	change, err := s.trimming(l)
	if err = s.housekept(l.addr, err); err != nil {
		s.cfg.Logger.Error("disklayer: trimming", "address", l.addr, "err", err)
	}
	if change != nil {
		change(b)
	}
}

// trimming returns how a log is trimmed, nil where there is nothing to do.
func (s *store) trimming(l *logState) (func(*pebble.Batch), error) {
	l.mu.Lock()
	l.due = false
	trimmed := l.trimmed
	l.mu.Unlock()
	keep, ok := s.hubs.retention(l.addr)
	if !ok {
		return nil, nil
	}
	first, newest, err := s.bounds(l, keep)
	s.noteHeld(l, keep, max(first.seq, trimmed), newest.seq)
	if err != nil || first.seq <= trimmed {
		return nil, err
	}
	if first.time == 0 && first.seq <= newest.seq {
		if first, err = s.search(l.addr, first.seq, newest, func(mark) bool { return true }); err != nil {
			return nil, err
		}
	}
	return func(b *pebble.Batch) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.moveFirstLocked(first)
		s.putBookkeeping(b, l)
	}, nil
}

// deleteMessages deletes those from a place up to another one.
func deleteMessages(b *pebble.Batch, a parley.Address, from, to uint64) {
	if to-from > trimMessages/2 {
		_ = b.DeleteRange(messageKey(a, from), messageKey(a, to), nil)
		return
	}
	for seq := from; seq < to; seq++ {
		_ = b.Delete(messageKey(a, seq), nil)
	}
}
