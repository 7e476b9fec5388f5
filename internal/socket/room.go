package socket

import "context"

// waits returns how many bytes wait for a connection, with entryCost for each piece: in
// this round's output, in the outbox, and outside of the loop. It is what the bounds of
// kept messages, and of values, are about.
func (c *Conn) waits() int { return int(c.output) + c.queued() + c.outside.size() }

// queued returns how many bytes the outbox holds.
func (c *Conn) queued() int {
	if o := c.out.Load(); o != nil {
		return o.size()
	}
	return 0
}

// few is how many bytes may wait for a connection that a kept message of any size is
// handed to.
func (c *Conn) few() int { return c.loop.engine.cfg.QueueBytes / 4 }

// fits reports whether kept messages of so many bytes fill no more than half the queue,
// with all that waits: what is not kept needs room as well.
func (l *Loop) fits(waits, size int) bool {
	return waits+size+entryCost <= l.engine.cfg.QueueBytes/2
}

// takes reports whether c may be handed kept messages of so many bytes: those that fit,
// and one, or a page, of any size where little waited before this round.
func (l *Loop) takes(c *Conn, size int, one bool) bool {
	waits := c.waits()
	return l.fits(waits, size) || one && waits-int(c.output) <= c.few()
}

// writeKept outputs kept frames, whatever waits for c. Where they do not fit they are
// written behind this round's output, and what is not kept finds as much room as if they
// were not there. It may find the connection too slow for that output.
func (l *Loop) writeKept(c *Conn, frames []byte) {
	if l.fits(int(c.output)+c.queued(), len(frames)) {
		l.output(c, frames)
		return
	}
	l.flushConn(c)
	if c.state != stateOpen || c.broken {
		return
	}
	l.writeAnyway(c, frames, false)
	if o := c.out.Load(); o != nil {
		o.exempt(len(frames))
	}
}

// hand hands a kept value to the handler of a follower, if there is room.
func (l *Loop) hand(m *Membership, value any, size int, at Position) bool {
	c, fs := m.conn, m.conn.followers
	if !l.takes(c, size, true) {
		return false
	}
	h := fs.hands()
	if !l.fits(c.waits(), size) {
		h.spare = min(h.spare, c.outside.size()) + size + entryCost
	}
	if !l.give(c, value, size) {
		fs.starved = true // the handler will say that it has room
		return false
	}
	m.follower.moveTo(at)
	if fs.acks == m {
		h.last = at
	}
	return true
}

// give gives a value to a handler, which may be done with it before it returns.
func (l *Loop) give(c *Conn, value any, size int) bool {
	c.outside.add(size)
	if c.handler.Deliver(value) {
		return true
	}
	l.took(c, size)
	return false
}

// isFull reports whether a connection has no room for a value that is not kept. Kept
// ones that did not fit are no reason.
func (l *Loop) isFull(c *Conn) bool {
	spare := 0
	if o := c.out.Load(); o != nil {
		spare = o.exempted()
	}
	if fs := c.followers; fs != nil && fs.handler != nil {
		spare += min(fs.handler.spare, c.outside.size())
	}
	return c.waits() >= l.engine.cfg.QueueBytes+spare
}

// took notes that the loop has bytes that were outside.
func (l *Loop) took(c *Conn, size int) {
	if c.outside.remove(size, c.few()) {
		l.asks(c)
	}
}

// post queues a frame.
func (c *Conn) post(ctx context.Context, p post) error {
	c.outside.add(len(p.data))
	err := c.loop.put(ctx, p)
	if err != nil {
		c.Done(len(p.data))
	}
	return err
}

// Done says that the handler is done with a value of so many bytes, for which its
// Deliver returned true.
func (c *Conn) Done(size int) {
	if c.outside.remove(size, c.few()) {
		_ = c.loop.put(background, post{kind: postFew, conn: c}) // of a loop that ended nobody wants to know
	}
}

// WriteKept queues one frame, which is neither dropped nor a reason to close the
// connection: it is what a handler writes for a kept value, before Done. Where too much
// waits for the connection already, it waits until the peer took that. It returns
// ErrClosed where the connection ends first, or the error of ctx.
func (c *Conn) WriteKept(ctx context.Context, frame []byte, more bool) error {
	if !c.loop.fits(c.queued()+c.outside.size(), len(frame)) {
		if err := c.awaitRoom(ctx); err != nil {
			return err
		}
	}
	return c.post(ctx, post{kind: postWriteKept, conn: c, data: frame, more: more})
}

// awaitRoom waits until the loop took the frames that were posted before, and little
// waits for the connection.
func (c *Conn) awaitRoom(ctx context.Context) error {
	told := make(chan error, 1)
	if err := c.loop.put(ctx, post{kind: postAwaitRoom, conn: c, value: told}); err != nil {
		return err
	}
	select {
	case err := <-told:
		return err
	case <-c.loop.stopped:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// roomAwaited takes awaitRoom's post.
func (l *Loop) roomAwaited(c *Conn, told chan error) {
	switch {
	case c.state != stateOpen || c.broken:
		told <- ErrClosed
	case int(c.output)+c.queued() <= c.few():
		told <- nil
	default:
		h := c.follows().hands()
		h.writers = append(h.writers, told)
		l.asks(c)
	}
}

// tell tells those who wait to write that there is room, or none any more.
func (fs *followers) tell(err error) {
	if !fs.awaited() {
		return
	}
	for _, told := range fs.handler.writers {
		told <- err
	}
	fs.handler.writers = nil
}

// noRoom tells those who wait to write that they wait in vain.
func (c *Conn) noRoom() {
	if fs := c.followers; fs != nil {
		fs.tell(ErrClosed)
	}
}
