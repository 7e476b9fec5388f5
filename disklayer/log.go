package disklayer

import (
	"sync"

	"github.com/parley-rt/parley"
)

// logState is a log that is in use, in memory. Its newest messages may be there
// too; all of them are on the disk.
type logState struct {
	addr parley.Address

	loading sync.Mutex // held while the log is loaded; guards loaded
	loaded  bool

	mu        sync.Mutex // guards what follows
	known     bool       // what follows is
	stored    bool       // it has bookkeeping
	head      mark       // the newest message, which may not be safe yet
	safe      mark       // the newest message that may be read
	first     mark       // the oldest message kept, but that its bytes are those before it; its time is 0 where it is not known
	trimmed   uint64     // the messages below are deleted
	base      uint64     // the last place before the log began, or the furthest one of a forgotten cursor
	due       bool       // the keeper was told to trim
	held      uint64     // claims hold what there is to trim: it is tried again once the head is here; 0 where none do
	retry     uint64     // or once a cursor is here
	claimed   mark       // the last message before the claims, as it was looked up last
	tail      []parley.Envelope
	tailBytes int64

	// Guarded by the cache's mutex.
	pins         int
	weight       int64
	newer, older *logState
}

// What a logState takes in memory besides its tail, and a message of a tail
// besides its data.
const (
	stateWeight   = 512
	messageWeight = 256
)

// emptyLocked reports whether the log has no message. Called with mu held.
func (l *logState) emptyLocked() bool { return l.first.seq > l.head.seq }

// bookkeepingLocked returns what is to be stored. Called with mu held.
func (l *logState) bookkeepingLocked() bookkeeping { return bookkeeping{l.head, l.first, l.base} }

// lostBefore returns how many messages before a place are a loss for a device that the
// log has no cursor of.
func (l *logState) lostBefore(seq uint64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(seq - min(l.base+1, seq))
}

// publish makes a message readable, and returns by how much the tail grew. share
// bounds the tail.
func (l *logState) publish(e *parley.Envelope, at mark, share int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.tailBytes
	l.safe = at
	l.tail = append(l.tail, *e)
	l.tail[len(l.tail)-1].Key = ""
	l.tail[len(l.tail)-1].More = false
	l.tailBytes += messageWeight + int64(len(e.Data))
	for l.tailBytes > share && len(l.tail) > 0 {
		l.tailBytes -= messageWeight + int64(len(l.tail[0].Data))
		l.tail[0] = parley.Envelope{}
		l.tail = l.tail[1:]
	}
	return l.tailBytes - before
}

// keptLocked returns the place of the oldest message that is kept, as far as
// counting tells. acknowledged is asked for the claims, which hold more than the
// retention's count. Called with mu held.
func (l *logState) keptLocked(keep parley.Retention, acknowledged func(upTo uint64) uint64) uint64 {
	first := max(l.first.seq, l.trimmed)
	by := firstOf(keep.Messages, l.safe.seq)
	if by <= first {
		return first
	}
	by = min(by, acknowledged(by-1)+1)
	return max(first, by, firstOf(keep.MostMessages(), l.safe.seq))
}

// firstOf returns the place of the first of the newest n messages, 0 where there are
// no more.
func firstOf(n int, newest uint64) uint64 {
	if newest < uint64(n) {
		return 0
	}
	return newest - uint64(n) + 1
}

// moveFirstLocked moves the log's beginning forward. Called with mu held.
func (l *logState) moveFirstLocked(m mark) {
	if m.seq > l.first.seq || m.seq == l.first.seq && l.first.time == 0 {
		l.first = m
	}
}
