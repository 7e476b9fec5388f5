package history

import (
	"fmt"
	"maps"
	"slices"
)

// log is an address's messages in one life, as all receivers together saw them.
type log struct {
	messages map[uint64]ID // by Seq
	first    map[ID]uint64 // the least Seq of each message
	seqs     []uint64      // in order
}

// after returns the index of the first message behind a Seq.
func (l *log) after(seq uint64) int {
	i, found := slices.BinarySearch(l.seqs, seq)
	if found {
		i++
	}
	return i
}

// gather puts the logs together.
func (c *checker) gather() {
	for i := range c.Views {
		v := &c.Views[i]
		for _, ev := range v.Events {
			if ev.Join == nil {
				c.gatherOne(v, ev)
			}
		}
	}
	for _, l := range c.logs {
		l.seqs = slices.Sorted(maps.Keys(l.messages))
	}
}

func (c *checker) gatherOne(v *View, ev Event) {
	if s := c.sends[ev.ID]; s == nil || s.To != v.Address {
		c.fail(Violation{Invented, v.Address, v.Receiver, ev.ID, fmt.Sprintf("delivered at %d", ev.Cursor.Seq)})
	}
	l := c.log(v.Address, ev.Cursor.Epoch)
	switch other, known := l.messages[ev.Cursor.Seq]; {
	case !known:
		l.messages[ev.Cursor.Seq] = ev.ID
	case other != ev.ID:
		c.fail(Violation{Conflicting, v.Address, v.Receiver, ev.ID, fmt.Sprintf("another receiver got %v at %d", other, ev.Cursor.Seq)})
	}
}

// checkLogs finds what is wrong with the logs themselves.
func (c *checker) checkLogs() {
	for p, l := range c.logs {
		calls := map[uint32]ID{} // the last one of each sender
		for _, seq := range l.seqs {
			id := l.messages[seq]
			if first, twice := l.first[id]; twice {
				c.fail(Violation{KeptTwice, p.of, "", id, fmt.Sprintf("at %d and %d", first, seq)})
				continue
			}
			l.first[id] = seq
			if s := c.sends[id]; s == nil || !s.ordered(p.epoch) {
				continue
			}
			if before := calls[id.Sender()]; before > id {
				c.fail(Violation{SenderOrder, p.of, "", id, fmt.Sprintf("behind %v, at %d", before, seq)})
			}
			calls[id.Sender()] = max(id, calls[id.Sender()])
		}
	}
}

// ordered reports whether a message's place in the log of a life follows from
// the order of its sender's calls: one that failed was sent again behind later
// ones, and so may one be that was accepted in a life before and lost with it.
func (s *Send) ordered(epoch uint64) bool {
	return !s.Failed && len(s.Accepted) > 0 && s.Accepted[0].Cursor.Epoch == epoch
}
