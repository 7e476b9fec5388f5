package socket

import (
	"iter"
	"slices"
	"time"

	"github.com/gobwas/ws"
)

// maxMissed is how many pings in a row a peer may leave unanswered.
const maxMissed = 2

// maxInterval bounds how far apart pings are, and with it the wheel's size.
const maxInterval = time.Hour

// maxTick bounds how coarse a loop's sense of time is.
const maxTick = time.Second

// wheel spreads the heartbeat of a loop's connections over the ping interval:
// each tick turns it by one bucket, whose connections are pinged.
type wheel struct {
	tick    time.Duration
	buckets [][]*Conn
	at      int
}

func (w *wheel) init(cfg Config) {
	interval := min(cfg.PingInterval, maxInterval)
	w.tick = max(min(interval/20, cfg.CloseTimeout/4, maxTick), time.Millisecond)
	w.buckets = make([][]*Conn, max(1, int(interval/w.tick)))
}

// add gives c the bucket that was turned last, so that its first ping is one
// interval away.
func (w *wheel) add(c *Conn) {
	c.bucket, c.place = int32(w.at), int32(len(w.buckets[w.at]))
	w.buckets[w.at] = append(w.buckets[w.at], c)
}

func (w *wheel) remove(c *Conn) {
	b := w.buckets[c.bucket]
	last := len(b) - 1
	b[c.place] = b[last]
	b[c.place].place = c.place
	b[last] = nil
	w.buckets[c.bucket] = b[:last]
}

// all yields every connection. The one yielded may be removed meanwhile.
func (w *wheel) all() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for i := range w.buckets {
			for _, c := range slices.Backward(w.buckets[i]) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// beat turns the wheel: it pings the connections of a bucket, and ends those
// that are dead. One whose reading is paused cannot show that it lives.
func (l *Loop) beat(now time.Time) {
	l.expired(now)
	w := &l.wheel
	w.at = (w.at + 1) % len(w.buckets)
	for _, c := range slices.Backward(w.buckets[w.at]) {
		if c.seen.Swap(false) || c.reading.Load() == readStopped {
			c.missed = 0
		} else if c.missed++; c.missed >= maxMissed {
			l.engine.stats.DeadClosed.Add(1)
			l.finalize(c, codeAbnormal)
			continue
		}
		l.output(c, ws.CompiledPing)
	}
}
