package socket

import "time"

// maxMissed is how many pings in a row a peer may leave unanswered.
const maxMissed = 2

// beat is a loop's tick: it ends what takes too long, pings the connections whose
// turn it is, and ends those that are dead.
func (l *Loop) beat(now time.Time) {
	l.expired(now)
	l.checkStalled(now)
	l.checkPartial(now)
	l.rested()
	for c := range l.wheel.turn() {
		if c.isDead() {
			l.engine.stats.DeadClosed.Add(1)
			l.finalize(c, codeAbnormal)
			continue
		}
		l.output(c, c.heartbeat())
		if fs := c.followers; fs != nil && fs.acks != nil {
			fs.acks.follower.source.Beat(now)
		}
	}
}

// owesLife reports whether the peer has to show that it lives. It cannot where it is not
// read, and is not asked once writing failed. In the closing handshake the close timeout
// ends the connection instead.
func (c *Conn) owesLife() bool {
	return c.state == stateOpen && !c.peerClosed && !c.broken && !c.io.paused()
}

// isDead counts a ping that was not answered, and reports whether there are too many. A
// peer that reads slowly may have a ping wait behind much else: it lives as long as it
// takes what its kernel or ours holds for it. The transport is asked for that only where
// nothing else shows life, and compares with the time it was asked before.
func (c *Conn) isDead() bool {
	if c.seen.Swap(false) || !c.owesLife() {
		c.missed = 0
		return false
	}
	if took := c.io.took(); c.missed == 0 || !took {
		c.missed++
	}
	return c.missed >= maxMissed
}
