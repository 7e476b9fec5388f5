package disklayer

import (
	"strings"
	"sync"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/lean"
)

// logCache holds the logs in use. Those that nobody has pinned are forgotten,
// the one used longest ago first, once all of them weigh too much.
type logCache struct {
	limit int64

	mu     sync.Mutex // guards what follows, and some fields of the logs
	logs   lean.Map[parley.Address, *logState]
	weight int64
	ring   logState // its newer is the oldest, its older the newest
}

func (c *logCache) init(limit int64) {
	c.limit = limit
	c.ring.newer, c.ring.older = &c.ring, &c.ring
}

// pin returns an address's log, which may not be loaded yet, and keeps it in
// memory until it is unpinned.
func (c *logCache) pin(a parley.Address) *logState {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.logs.Get(a)
	if l == nil {
		l = &logState{addr: cloneAddress(a), weight: stateWeight}
		c.logs.Set(l.addr, l)
		c.weight += l.weight
		c.evictLocked()
	} else {
		l.unlink()
	}
	l.pins++
	c.linkLocked(l)
	return l
}

// unpin takes one pin back.
func (c *logCache) unpin(l *logState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unpinLocked(l, 0)
}

// unpinLocked takes one pin back of a log whose tail grew.
func (c *logCache) unpinLocked(l *logState, grown int64) {
	l.pins--
	l.weight += grown
	c.weight += grown
}

// peek returns the place of the newest message of a log that is safe, if the log
// is in memory.
func (c *logCache) peek(a parley.Address) (head uint64, ok bool) {
	l := c.find(a)
	if l == nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.safe.seq, l.known
}

// find returns a log that is in memory, nil where it is not.
func (c *logCache) find(a parley.Address) *logState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logs.Get(a)
}

// linkLocked makes l the newest.
func (c *logCache) linkLocked(l *logState) {
	l.older, l.newer = c.ring.older, &c.ring
	l.older.newer, l.newer.older = l, l
}

func (l *logState) unlink() { l.older.newer, l.newer.older = l.newer, l.older }

// evictLocked forgets logs until the rest is light enough, but none that are
// pinned.
func (c *logCache) evictLocked() {
	for l := c.ring.newer; c.weight > c.limit && l != &c.ring; {
		next := l.newer
		if l.pins == 0 {
			l.unlink()
			c.logs.Delete(l.addr)
			c.weight -= l.weight
		}
		l = next
	}
}

// cloneAddress returns the address with memory of its own: a name may be a piece
// of a long request.
func cloneAddress(a parley.Address) parley.Address {
	switch addressKind(a) {
	case 'g':
		return parley.Group(strings.Clone(a.Name()))
	case 'u':
		return parley.User(strings.Clone(a.Name()))
	}
	return a
}
