package disklayer

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/fault"
)

// log returns an address's log, loaded and pinned.
func (s *store) log(a parley.Address) (*logState, error) {
	l := s.logs.pin(a)
	if err := s.load(l); err != nil {
		s.logs.unpin(l)
		return nil, err
	}
	return l, nil
}

// load reads a log's bookkeeping, once. What it finds is safe: as long as a
// message is not, its log is pinned, and so loaded.
func (s *store) load(l *logState) error {
	l.loading.Lock()
	defer l.loading.Unlock()
	if l.loaded {
		return nil
	}
	if err := s.enter(); err != nil {
		return err
	}
	k, stored, err := s.readBookkeeping(l.addr)
	if err = s.leave(err); err != nil {
		return err
	}
	if limit, ok := s.limits[l.addr]; ok && k.head.seq > limit.seq {
		k.head = limit
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.stored, l.head, l.safe, l.first, l.trimmed, l.base = true, stored, k.head, k.head, k.first, k.first.seq, k.base
	l.loaded = true
	return nil
}

func (s *store) readBookkeeping(a parley.Address) (k bookkeeping, stored bool, err error) {
	value, closer, err := s.db.Get(addressKey(keyLog, a))
	if errors.Is(err, pebble.ErrNotFound) {
		floor := s.floor.Load()
		return bookkeeping{head: mark{seq: floor}, first: mark{seq: floor + 1}, base: floor}, false, nil
	}
	if err != nil {
		return k, false, err
	}
	k, err = parseBookkeeping(value)
	_ = closer.Close()
	if err != nil {
		return k, true, err
	}
	newest, err := s.newest(a)
	if newest.seq > k.head.seq {
		k.head = newest
	}
	return k, true, err
}

// newest returns the newest message that is stored for an address, if any.
func (s *store) newest(a parley.Address) (m mark, err error) {
	prefix := addressKey(keyMessage, a)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: appendSeq(addressKey(keyMessage, a), ^uint64(0))})
	if err != nil {
		return m, err
	}
	if it.Last() {
		m, err = markOf(seqOf(it.Key()), it.Value())
	}
	return m, errors.Join(err, it.Close())
}

// readable returns the place up to which a log may be read. Called with l.mu
// held.
func (s *store) readable(l *logState) mark {
	if fault.ReadPastSynced() {
		return l.head
	}
	return l.safe
}
