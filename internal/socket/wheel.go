package socket

import (
	"errors"
	"iter"
	"time"
)

// maxInterval bounds how far apart pings are, and with it the wheel's size.
const maxInterval = time.Hour

// maxTick bounds how coarse a loop's sense of time is.
const maxTick = time.Second

// wheel holds a loop's connections, and spreads their heartbeat over the ping
// interval: every tick, or every few, turns it by one bucket, whose connections are pinged.
type wheel struct {
	tick    time.Duration
	ticks   int
	every   int // ticks between two buckets
	buckets []bucket
	at      int // the bucket that was turned last
	spread  int // counts connections, so that they are spread over buckets
}

// bucket is a table of connections whose places do not change.
type bucket struct {
	slots []slot
	free  int32 // the first free slot, from 1
}

// slot holds one connection. Its generation is another for each connection that
// it held, so that what was said of an earlier one is not taken for a later one's.
type slot struct {
	conn       *Conn
	generation uint32
	next       int32 // the next free slot, from 1
}

// place names a slot: the bucket in its upper bits, the slot in the lower ones.
type place uint32

const (
	bucketBits = 12
	slotBits   = 32 - bucketBits
	slotMask   = 1<<slotBits - 1
)

var errFull = errors.New("socket: the event loop holds too many connections")

func (w *wheel) init(cfg Config) {
	interval := min(cfg.PingInterval, maxInterval)
	w.tick = max(min(interval/20, cfg.CloseTimeout/4, maxTick), time.Millisecond)
	ticks := max(1, int(interval/w.tick))
	w.every = (ticks-1)>>bucketBits + 1
	w.buckets = make([]bucket, ticks/w.every)
}

// add gives c a place. Its first ping is three quarters of an interval away or
// more: many that come at once are not pinged at once.
func (w *wheel) add(c *Conn) error {
	w.spread++
	n := len(w.buckets)
	at := (w.at - w.spread%(n/4+1) + n) % n
	b := &w.buckets[at]
	i := int(b.free) - 1
	if i >= 0 {
		b.free = b.slots[i].next
	} else {
		if i = len(b.slots); i > slotMask {
			return errFull
		}
		b.slots = append(b.slots, slot{})
	}
	b.slots[i].conn = c
	c.place = place(at<<slotBits | i)
	return nil
}

func (w *wheel) slot(p place) *slot { return &w.buckets[p>>slotBits].slots[p&slotMask] }

// generation returns that of a connection's slot.
func (w *wheel) generation(c *Conn) uint32 { return w.slot(c.place).generation }

// find returns the connection of a place and a generation, nil when it is gone.
func (w *wheel) find(p place, generation uint32) *Conn {
	if s := w.slot(p); s.generation == generation {
		return s.conn
	}
	return nil
}

// remove frees the place of c.
func (w *wheel) remove(c *Conn) {
	b, s := &w.buckets[c.place>>slotBits], w.slot(c.place)
	s.conn = nil
	s.generation++
	s.next = b.free
	b.free = int32(c.place&slotMask) + 1
}

// turn counts a tick, and yields the connections of the next bucket if it is time
// for them. They may be removed meanwhile.
func (w *wheel) turn() iter.Seq[*Conn] {
	if w.ticks++; w.ticks%w.every != 0 {
		return func(func(*Conn) bool) {}
	}
	w.at = (w.at + 1) % len(w.buckets)
	return w.buckets[w.at].all()
}

// all yields every connection. They may be removed meanwhile.
func (w *wheel) all() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for i := range w.buckets {
			for c := range w.buckets[i].all() {
				if !yield(c) {
					return
				}
			}
		}
	}
}

func (b *bucket) all() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for i := range b.slots {
			if c := b.slots[i].conn; c != nil && !yield(c) {
				return
			}
		}
	}
}
