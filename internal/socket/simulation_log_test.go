package socket

import (
	"encoding/binary"
	"sort"
)

// simLog is a log, and all that it ever held.
type simLog struct {
	id        byte
	topics    [2]Topic // of frames, and of values
	epoch     uint64
	head      uint64 // Seq of the last message
	entries   []*simEntry
	first     int // of entries that are there still
	published int // entries before it were
	rereads   bool
}

type simEntry struct {
	log    *simLog
	index  int
	at     Position
	prev   uint64
	frame  []byte
	except *simConn
	lost   bool // nobody has to get it
}

// simPlain is the log of messages that are not kept, simReply that of what handlers
// write for kept values.
const (
	simPlain = 255
	simReply = 254
)

// simFrame returns the frame of a message.
func simFrame(log byte, index, size int) []byte {
	payload := make([]byte, max(size, 5))
	payload[0] = log
	binary.BigEndian.PutUint32(payload[1:], uint32(index))
	return Frame(true, payload)
}

func (s *simulation) size() int { return s.sizes[s.n(len(s.sizes))] }

func (s *simulation) log() *simLog { return s.logs[s.n(len(s.logs))] }

func (s *simulation) append() bool {
	s.add(s.log(), false)
	return true
}

// giveUp adds messages that are not published, as a layer does that failed. Those
// before them were, or not.
func (s *simulation) giveUp() bool {
	if s.calm || s.n(4) > 0 {
		return false
	}
	l := s.log()
	for l.published < len(l.entries) && s.n(4) > 0 {
		s.publishNext(l)
	}
	for range s.n(3) {
		s.add(l, true)
	}
	l.rereads, l.published = true, len(l.entries)
	return true
}

func (s *simulation) add(l *simLog, givenUp bool) {
	e := &simEntry{log: l, index: len(l.entries), at: Position{l.epoch, l.head + 1 + s.r.Uint64N(3)}, prev: l.head}
	if !s.calm && s.n(8) == 0 { // what stands for the one before
		e.prev += s.r.Uint64N(e.at.Seq - l.head)
	}
	if len(s.conns) > 0 && s.n(6) == 0 {
		e.except = s.conns[s.n(len(s.conns))]
	}
	e.frame = simFrame(l.id, e.index, s.size())
	l.entries = append(l.entries, e)
	l.head = e.at.Seq
	s.tell("log %d: %d at %v behind %d, %d bytes, given up %v", l.id, e.index, e.at, e.prev, len(e.frame), givenUp)
}

func (s *simulation) publish() bool {
	l := s.log()
	n := 1 + s.n(4)
	for ; n > 0 && l.published < len(l.entries); n-- {
		s.publishNext(l)
	}
	return true
}

func (s *simulation) publishNext(l *simLog) {
	e := l.entries[l.published]
	l.published++
	if e.lost {
		return
	}
	for i, p := range []Post{{Frame: e.frame}, {Value: e, Size: len(e.frame)}} {
		p.At, p.Prev = e.at, e.prev
		if e.except != nil {
			p.Except = e.except.ID
		}
		if err := s.engine.PublishKept(&l.topics[i], p); err != nil {
			s.fail("publish: %v", err)
		}
	}
	s.tell("log %d: %d is published, %d gaps", l.id, e.index, len(s.loop.gaps))
}

func (s *simulation) reread() bool {
	l := s.log()
	if s.calm || !l.rereads && s.n(4) > 0 {
		return false
	}
	s.rereadLog(l)
	return true
}

func (s *simulation) rereadLog(l *simLog) {
	l.rereads = false
	s.tell("log %d: reread", l.id)
	for i := range l.topics {
		s.engine.Reread(&l.topics[i])
	}
}

func (s *simulation) trim() bool {
	l := s.log()
	if s.n(4) > 0 || l.first == len(l.entries) {
		return false
	}
	l.first += 1 + s.n(len(l.entries)-l.first)
	s.tell("log %d: begins with %d", l.id, l.first)
	return true
}

// newEpoch has a log be lost. What was not published yet may be, or not.
func (s *simulation) newEpoch() bool {
	l := s.log()
	if s.calm || s.n(8) > 0 {
		return false
	}
	l.epoch++
	l.head, l.first = s.r.Uint64N(l.head+4), len(l.entries)
	if s.n(2) == 0 {
		for _, e := range l.entries[l.published:] {
			e.lost = true
		}
	}
	s.tell("log %d: epoch %d from %d", l.id, l.epoch, l.head)
	return true
}

// behind returns the index of the first message behind a place.
func (l *simLog) behind(at Position) int {
	return sort.Search(len(l.entries), func(i int) bool {
		e := l.entries[i].at
		return e.Epoch > at.Epoch || e.Epoch == at.Epoch && e.Seq > at.Seq
	})
}
