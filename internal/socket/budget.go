package socket

import (
	"container/heap"
	"sync"
	"sync/atomic"
)

// Budget bounds what the unfinished messages of all connections hold together. Beyond,
// the longest one is told to end, of equal ones the oldest, until the rest fits. Safe
// for concurrent use. A nil Budget bounds nothing.
type Budget struct {
	limit int64

	mu      sync.Mutex // guards what follows, and the charges but their over; a mailbox's may be locked within
	held    int64
	ending  int64   // of held, by those that were told to end
	longest charges // those that can be told
	began   uint64
	ended   int64
}

// NewBudget returns a Budget of so many bytes.
func NewBudget(limit int) *Budget { return &Budget{limit: int64(limit)} }

// Charge is what one unfinished message holds. The zero value holds nothing. It has
// one owner, who releases it once.
type Charge struct {
	owner Ender
	size  int64
	began uint64
	place int         // in Budget.longest, from 1; 0 when it cannot be told to end
	over  atomic.Bool // it was
}

// Ender is told to end its message. End must not wait, nor call the Budget.
type Ender interface{ End() }

// Hold sets how many bytes c holds, and who ends it. False says that the message must
// end: there is no room for it.
func (b *Budget) Hold(c *Charge, owner Ender, size int) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.over.Load() {
		return false
	}
	b.held += int64(size) - c.size
	c.owner, c.size = owner, int64(size)
	if c.place == 0 {
		b.began++
		c.began = b.began
		heap.Push(&b.longest, c)
	} else {
		heap.Fix(&b.longest, c.place-1)
	}
	for b.held-b.ending > b.limit && len(b.longest) > 0 {
		if over := b.endLongest(); over != c {
			over.owner.End()
		}
	}
	return !c.over.Load()
}

// endLongest marks the longest. Called with mu held.
func (b *Budget) endLongest() *Charge {
	c := heap.Pop(&b.longest).(*Charge)
	c.over.Store(true)
	b.ending += c.size
	b.ended++
	return c
}

// Keep says that the message of c is whole: it holds its bytes still, and is not told
// to end any more. False says that it was.
func (b *Budget) Keep(c *Charge) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave(c)
	return !c.over.Load()
}

// Release gives back what c holds.
func (b *Budget) Release(c *Charge) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave(c)
	b.held -= c.size
	if c.over.Load() {
		b.ending -= c.size
	}
	c.size = 0
}

// leave takes c from those that can be told to end. Called with mu held.
func (b *Budget) leave(c *Charge) {
	if c.place > 0 {
		heap.Remove(&b.longest, c.place-1)
	}
}

// Take holds n bytes until Give, unless all that is longer has ended and there is no
// room all the same.
func (b *Budget) Take(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.held-b.ending+int64(n) > b.limit {
		if len(b.longest) == 0 || b.longest[0].size <= int64(n) {
			b.ended++
			return false
		}
		b.endLongest().owner.End()
	}
	b.held += int64(n)
	return true
}

// Give gives back what Take took.
func (b *Budget) Give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= int64(n)
}

// Stats returns how many bytes are held, and how many messages were ended.
func (b *Budget) Stats() (held, ended int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held, b.ended
}

// charges is a heap with the longest first.
type charges []*Charge

func (h charges) Len() int { return len(h) }

func (h charges) Less(i, j int) bool {
	if h[i].size != h[j].size {
		return h[i].size > h[j].size
	}
	return h[i].began < h[j].began
}

func (h charges) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *charges) Push(c any) {
	*h = append(*h, c.(*Charge))
	c.(*Charge).place = len(*h)
}

func (h *charges) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	c.place = 0
	return c
}
