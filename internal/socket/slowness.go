package socket

import (
	"slices"
	"time"
)

// stalled is a connection with an outbox that its loop drains.
type stalled struct {
	conn *Conn
	out  *outbox
}

// stall notes that the peer of c did not take all of o, and whether it took
// something.
func (l *Loop) stall(c *Conn, o *outbox, progress bool) {
	if o.since.IsZero() {
		l.stalled = append(l.stalled, stalled{c, o})
		progress = true
	}
	if progress {
		o.since = time.Now()
	}
}

// checkStalled ends the connections that took nothing for the write timeout. Each
// is tried once more before: the kernel reports room only when a third of its
// buffer is free, which may take a slow reader longer.
func (l *Loop) checkStalled(now time.Time) {
	timeout := l.engine.cfg.WriteTimeout
	l.stalled = slices.DeleteFunc(l.stalled, func(s stalled) bool {
		if !s.over() && now.Sub(s.out.since) >= timeout {
			l.drain(s.conn, s.out)
		}
		if s.over() {
			return true
		}
		if now.Sub(s.out.since) < timeout {
			return false
		}
		s.out.abandon()
		l.broken(s.conn, l.engine.cfg.SlowCloseCode)
		return true
	})
}

// over reports whether the outbox is not waited for any more.
func (s *stalled) over() bool {
	return s.conn.state == stateClosed || s.conn.broken || s.conn.out.Load() != s.out
}

// checkPartial fails the connections whose message takes too long.
func (l *Loop) checkPartial(now time.Time) {
	l.partial = slices.DeleteFunc(l.partial, func(c *Conn) bool {
		part := c.decoder.part
		if part == nil || c.state == stateClosed {
			c.listed = false
			return true
		}
		if c.io.paused() { // what it holds of a message was read last, and has no clock yet
			return false
		}
		if c.overdue(now) {
			c.fail(errTooSlow, &l.in)
			l.follow(&l.in)
		}
		return false
	})
}

// overdue reports whether the peer is in the middle of a message that takes too long.
func (c *Conn) overdue(now time.Time) bool {
	part := c.decoder.part
	return part != nil && now.After(part.deadline(&c.loop.engine.cfg, now))
}

// deadline returns when what is missing of a message is too late. The clock is
// started if it does not run.
func (p *partial) deadline(cfg *Config, now time.Time) time.Time {
	if p.began.IsZero() {
		p.began, p.received = now, 0
	}
	earned := float64(p.received) / float64(cfg.ReceiveRate) * float64(time.Second)
	return p.began.Add(cfg.ReceiveGrace + time.Duration(earned))
}
