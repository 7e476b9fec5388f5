package socket

import "time"

// maxMissed is how many pings in a row a peer may leave unanswered.
const maxMissed = 2

// beat is a loop's tick: it ends what takes too long, pings the connections whose
// turn it is, and ends those that are dead. One whose reading is paused cannot
// show that it lives.
func (l *Loop) beat(now time.Time) {
	l.expired(now)
	l.checkStalled(now)
	l.checkPartial(now)
	l.rested()
	for c := range l.wheel.turn() {
		if c.seen.Swap(false) || c.io.paused() {
			c.missed = 0
		} else if c.missed++; c.missed >= maxMissed {
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
