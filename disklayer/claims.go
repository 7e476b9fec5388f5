package disklayer

import (
	"errors"

	"github.com/parley-rt/parley"
)

// Connected receivers have claims on a log: it holds what they need, beyond its
// retention's count. See [parley.Retention].

var errInboxFull = &parley.Error{Code: parley.Unavailable, Message: "the inbox is full until its connected devices acknowledge messages"}

// acknowledged returns the place up to which there is no claim on a log, upTo at
// most.
func (s *store) acknowledged(l *logState, upTo uint64) uint64 {
	return s.hubs.acknowledged(l.addr, parley.Cursor{Epoch: s.epoch, Seq: upTo})
}

// refuses reports whether an inbox has no room for a message more, because of the
// claims on it. held is how many bytes it has then. Called with l.mu held, which is
// unlocked while the disk is read: a loop may want it.
func (s *store) refuses(l *logState, keep parley.Retention, size, held uint64) bool {
	most := uint64(keep.MostMessages())
	if !l.addr.IsInbox() || held <= uint64(keep.Bytes) && l.head.seq+1-l.first.seq < most {
		return false
	}
	free := s.acknowledged(l, l.safe.seq)
	if free >= l.safe.seq {
		return false
	}
	before := s.bytesBefore(l, free)
	return l.head.seq-max(free, l.first.seq-1) >= most || l.head.bytes+size-before > uint64(keep.Bytes)
}

// bytesBefore returns how many bytes a log took up to a message, or up to its first
// one where that is behind. Called with l.mu held, which is unlocked meanwhile.
func (s *store) bytesBefore(l *logState, seq uint64) uint64 {
	if seq < l.first.seq {
		return l.first.bytes
	}
	if l.claimed.seq != seq {
		l.mu.Unlock()
		m, err := s.storedMark(l.addr, seq)
		l.mu.Lock()
		if err != nil { // trimmed meanwhile, or the store fails: then nothing is accepted
			return l.first.bytes
		}
		l.claimed = m
	}
	return l.claimed.bytes
}

// storedMark returns the mark of a message.
func (s *store) storedMark(a parley.Address, seq uint64) (mark, error) {
	value, closer, err := s.db.Get(messageKey(a, seq))
	if err != nil {
		return mark{}, err
	}
	m, err := markOf(seq, value)
	return m, errors.Join(err, closer.Close())
}

// noteHeld notes whether claims hold more than the retention's count, so that
// trimming is not tried in vain for each message and each cursor that moves. first is
// where the log begins then.
func (s *store) noteHeld(l *logState, keep parley.Retention, first, newest uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = 0
	if slack := max(uint64(keep.Messages)/8, trimMessages); newest+1-min(first, newest+1) > uint64(keep.Messages)+slack {
		l.held, l.retry = l.head.seq+slack, max(l.retry, first+slack)
	}
}

// goOn has a log trimmed that claims held, as one of them moved on to a place.
func (s *store) goOn(of parley.Address, to uint64) {
	l := s.logs.find(of)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == 0 || l.due || to < l.retry {
		return
	}
	l.due, l.retry = true, to+trimMessages
	s.keeper.trimSoon(l.addr)
}
