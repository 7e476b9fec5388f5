package socket

import "math"

// node is one piece of a connection's output in a round.
type node struct {
	data []byte // whole frames, shared between receivers
	next int32  // index of the next one, from 1
}

// output adds whole frames to what c is sent at the end of the round.
func (l *Loop) output(c *Conn, data []byte) {
	if c.state != stateOpen || c.broken {
		return
	}
	l.nodes = append(l.nodes, node{data: data})
	at := int32(len(l.nodes))
	if c.head == 0 {
		c.head = at
		l.dirty = append(l.dirty, c)
	} else {
		l.nodes[c.tail-1].next = at
	}
	c.tail = at
	c.output = int32(min(int(c.output)+len(data)+entryCost, math.MaxInt32))
}

// flush ends a round: one write for each connection with output.
func (l *Loop) flush() {
	for _, c := range l.dirty {
		l.flushConn(c)
	}
	clear(l.dirty)
	clear(l.nodes)
	l.dirty, l.nodes = l.dirty[:0], l.nodes[:0]
	l.askPages()
	if cap(l.nodes) > keepNodes {
		l.dirty, l.nodes = nil, nil
	}
	if cap(l.pieces) > keepPieces {
		l.pieces = nil
	}
}

func (l *Loop) flushConn(c *Conn) {
	at := c.head
	c.head, c.tail, c.output = 0, 0, 0
	if at == 0 {
		return
	}
	pieces := l.pieces[:0]
	for ; at != 0; at = l.nodes[at-1].next {
		pieces = append(pieces, l.nodes[at-1].data)
	}
	l.write(c, pieces)
	clear(pieces)
	l.pieces = pieces
}

// write sends pieces, each of whole frames: directly where nothing is queued for
// c, and what the kernel refuses through an outbox.
func (l *Loop) write(c *Conn, pieces [][]byte) {
	if c.broken || c.state != stateOpen {
		return
	}
	n := 0
	if c.out.Load() == nil {
		var err error
		if n, err = c.io.write(l, pieces); err != nil {
			l.broken(c, codeAbnormal)
			return
		}
	}
	for _, piece := range pieces {
		if n >= len(piece) && n > 0 {
			n -= len(piece)
			continue
		}
		l.enqueue(c, piece, n)
		n = 0
		if c.state != stateOpen { // too slow, and closed for that
			return
		}
	}
}

// enqueue puts frames in the outbox of c, which is made if there is none, without
// the first n bytes, which are out: the rest of a frame that was begun whatever the
// bound, and of the others what fits.
func (l *Loop) enqueue(c *Conn, frames []byte, n int) {
	begun := cutFrames(frames, n)
	o := c.out.Load()
	fresh := o == nil
	if fresh {
		o = &outbox{}
		o.add(piece(frames[n:begun], len(frames)), false)
	}
	rest, ok := o.offer(frames[begun:], l.engine.cfg.QueueBytes, len(frames))
	if !ok { // a stream's writer ended meanwhile
		l.enqueue(c, frames, n)
		return
	}
	if fresh {
		c.out.Store(o)
		l.drain(c, o)
	}
	if len(rest) == 0 {
		return
	}
	if l.engine.cfg.DropWhenSlow {
		l.engine.stats.Dropped.Add(int64(countFrames(rest)))
	} else {
		l.tooSlow(c)
	}
}

// drain has the outbox of c emptied, unless its connection is not accepted yet.
func (l *Loop) drain(c *Conn, o *outbox) {
	if !o.held {
		c.io.drain(l, c, o)
	}
}

// tooSlow closes a connection whose queue is full.
func (l *Loop) tooSlow(c *Conn) {
	l.engine.stats.SlowClosed.Add(1)
	l.closeConn(c, l.engine.cfg.SlowCloseCode, "too slow")
}

// emptied does what waited for the outbox of c to be empty.
func (l *Loop) emptied(c *Conn, o *outbox) {
	finish, awaits := o.told()
	if finish {
		l.closeFlushed(c)
	}
	if awaits {
		l.drained(c)
	}
}
