package socket

import (
	"strconv"

	"github.com/gobwas/ws"
)

// numberedPings are the pings whose answers acknowledge. One of a connection is in
// flight at a time, so few numbers will do.
var numberedPings = func() (pings [256][]byte) {
	for n := range pings {
		pings[n] = appendFrame(nil, ws.OpPing, strconv.AppendInt(nil, int64(n), 10))
	}
	return pings
}()

// wrote takes note of how far m got with frames, and pings behind them: the answer
// acknowledges what was written before it, as TCP keeps the order.
func (l *Loop) wrote(m *Membership) {
	if fs := m.conn.followers; fs.acks == m {
		l.acknowledge(m, m.follower.At())
	}
}

// handled takes Membership.Handled. Behind the last value that the handler was handed
// there is only what was left out for this peer.
func (l *Loop) handled(m *Membership, at Position) {
	fs := m.conn.followers
	if fs == nil || fs.acks != m {
		return
	}
	if h := fs.handler; h != nil && at == h.last {
		h.last, at = Position{}, m.follower.At()
	}
	l.acknowledge(m, at)
}

// acknowledge has the peer asked whether it got all up to a place.
func (l *Loop) acknowledge(m *Membership, at Position) {
	fs := m.conn.followers
	if at == fs.written {
		return
	}
	fs.written = at
	if ping := fs.ping(); ping != nil {
		l.output(m.conn, ping)
	}
}

// skipped takes note of how far m got where the last messages were left out for this
// peer. They need no answer, but wait for that of what was written before, and for the
// handler of what it was handed before.
func (l *Loop) skipped(m *Membership) {
	fs := m.conn.followers
	if fs.acks != m || !fs.isDone() {
		return
	}
	acknowledged := !fs.pinging && fs.written == fs.pinged
	if fs.written = m.follower.At(); acknowledged {
		fs.pinged = fs.written
		m.follower.source.Acked(fs.written)
		l.asks(m.conn)
	}
}

// ping returns the next numbered ping, nil while one is in flight.
func (fs *followers) ping() []byte {
	if fs.pinging {
		return nil
	}
	fs.pinging, fs.pinged = true, fs.written
	fs.number++
	return numberedPings[fs.number]
}

// heartbeat returns the ping of a connection whose turn it is: a numbered one where
// there is something to acknowledge. One that was not answered yet is sent again.
func (c *Conn) heartbeat() []byte {
	fs := c.followers
	switch {
	case fs == nil:
	case fs.pinging:
		return numberedPings[fs.number]
	case fs.acks != nil && fs.written != fs.pinged:
		return fs.ping()
	}
	return ws.CompiledPing
}

// ponged takes the answer to a numbered ping.
func (l *Loop) ponged(c *Conn, number uint8) {
	fs := c.followers
	if c.state == stateClosed || fs == nil || !fs.pinging || fs.number != number {
		return
	}
	fs.pinging = false
	m := fs.acks
	if m == nil { // it left meanwhile
		return
	}
	m.follower.source.Acked(fs.pinged)
	l.asks(c)
	if fs.written != fs.pinged {
		l.output(c, fs.ping())
	}
}

// holdsBack reports whether the next page waits for an acknowledgement.
func (fs *followers) holdsBack() bool {
	m := fs.acks
	return m != nil && fs.first == m && m.follower.careful &&
		(fs.pinging || fs.written != fs.pinged || fs.written != m.follower.At())
}

// pongNumber returns the number that a pong's payload is.
func pongNumber(payload []byte) (number uint8, ok bool) {
	n, err := strconv.ParseUint(string(payload), 10, 8)
	return uint8(n), err == nil
}
