package socket

import (
	"slices"
	"time"
)

// closing is a connection that has until deadline to end by itself.
type closing struct {
	conn     *Conn
	deadline time.Time
}

// closeConn sends our close frame (RFC 6455, section 5.5.1), behind what was
// written before. The connection ends when the peer's arrives, or did, or when
// the close timeout passes.
func (l *Loop) closeConn(c *Conn, code uint16, reason string) {
	if c.state != stateOpen {
		return
	}
	l.flushConn(c)
	if c.state != stateOpen { // too slow, and closed for that
		return
	}
	c.state = stateClosing
	if c.closeCode == 0 {
		c.closeCode = code
	}
	c.noRoom()
	c.handler.Closing()
	l.expire(c)
	frame := closeFrame(code, reason)
	if c.broken || l.writeAnyway(c, frame, true) {
		l.closeFlushed(c)
	}
}

// writeAnyway writes whole frames, whatever the bound, and reports whether they
// are out already. The last one is a close frame.
func (l *Loop) writeAnyway(c *Conn, frames []byte, last bool) bool {
	for {
		o := c.out.Load()
		if o != nil {
			if o.add(frames, last) {
				return false
			}
			continue // the writer ended meanwhile
		}
		n, err := c.io.write(l, [][]byte{frames})
		if err != nil {
			l.broken(c, codeAbnormal)
			return true
		}
		if n == len(frames) {
			return true
		}
		o = &outbox{}
		o.add(frames[n:], last)
		c.out.Store(o)
		l.drain(c, o)
		return false
	}
}

// closeFlushed goes on once our close frame is written, or cannot be: the server
// ends the TCP connection first (RFC 6455, section 7.1.1), but not before the
// peer's close frame was read, or a reset could overtake ours.
func (l *Loop) closeFlushed(c *Conn) {
	if c.state != stateClosing {
		return
	}
	c.flushed = true
	switch {
	case c.peerClosed:
		l.finalize(c, c.closeCode)
	case c.failed:
		c.io.closeWrite(l)
	}
}

// failConn answers a breach of the protocol: a close frame, then the end of our
// side, while the reader drops what still arrives (RFC 6455, section 7.1.7).
func (l *Loop) failConn(c *Conn, code uint16, reason string) {
	c.failed = true
	if c.flushed {
		l.closeFlushed(c)
	} else {
		l.closeConn(c, code, reason)
	}
}

// peerGone takes the peer's close frame. The handler answers it when it is done
// with the messages before, or the close timeout does.
func (l *Loop) peerGone(c *Conn, code uint16, reason string) {
	if c.state == stateClosed {
		return
	}
	c.peerClosed = true
	c.handler.PeerClose(code, reason)
	if c.closeCode == 0 {
		c.closeCode = code
	}
	switch {
	case c.state == stateOpen:
		l.expire(c)
	case c.state == stateClosing && c.flushed:
		l.finalize(c, c.closeCode)
	}
}

// broken notes that nothing more can be written. What the peer had sent before
// is still read.
func (l *Loop) broken(c *Conn, code uint16) {
	if c.broken || c.state == stateClosed {
		return
	}
	c.broken = true
	c.noRoom()
	if code == l.engine.cfg.SlowCloseCode {
		if c.closeCode == 0 {
			l.engine.stats.SlowClosed.Add(1)
		}
		l.finalize(c, code)
		return
	}
	l.expire(c)
	l.closeFlushed(c)
}

// expire ends c at the close timeout, if nothing else does before.
func (l *Loop) expire(c *Conn) {
	if c.expiring {
		return
	}
	c.expiring = true
	deadline := time.Now().Add(l.engine.cfg.CloseTimeout)
	l.closing = append(l.closing, closing{c, deadline})
}

// expired ends the connections whose time is over. Deadlines are in order,
// since all wait equally long.
func (l *Loop) expired(now time.Time) {
	n := 0
	for n < len(l.closing) && !now.Before(l.closing[n].deadline) {
		l.timeUp(l.closing[n].conn)
		n++
	}
	l.closing = slices.Delete(l.closing, 0, n)
}

// timeUp ends c at the close timeout. Where its handler is still busy with what
// came before the peer's close frame, the peer gets an answer first, and has as
// long again to take it (RFC 6455, section 5.5.1). It is not the code that the peer
// sent, which would say that all was dealt with.
func (l *Loop) timeUp(c *Conn) {
	if c.state == stateOpen && c.peerClosed && !c.broken {
		c.expiring = false
		l.closeConn(c, codeTryAgain, "not everything was dealt with in time")
		return
	}
	l.finalize(c, codeAbnormal)
}

// finalize ends and forgets a connection. The code is what its handler hears
// unless a close code was settled before.
func (l *Loop) finalize(c *Conn, code uint16) {
	if c.state == stateClosed {
		return
	}
	if c.closeCode != 0 {
		code = c.closeCode
	}
	c.noRoom()
	if c.state != stateClosing {
		c.handler.Closing()
	}
	c.state = stateClosed
	l.wheel.remove(c)
	if o := c.out.Load(); o != nil {
		o.abandon()
	}
	c.io.close(l, c)
	c.handler.Closed(code, nil)
}

// closeAll starts the closing handshake on every connection of the loop.
func (l *Loop) closeAll(code uint16, reason string) {
	for c := range l.wheel.all() {
		l.closeConn(c, code, reason)
	}
}

// shutdown ends every connection at once, and refuses posts from now on.
func (l *Loop) shutdown() {
	for _, p := range l.close() {
		switch p.kind {
		case postOpen: // its handler is owed a Closed
			l.handle(&p)
		case postPage: // another one's reader may wait
			l.tookPage(&p)
		}
	}
	for c := range l.wheel.all() {
		l.finalize(c, codeAbnormal)
	}
	l.poller.close()
}
