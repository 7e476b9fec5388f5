package scenario

import (
	"fmt"

	"github.com/parley-rt/parley/bench/internal/load"
)

// crossfire is several publishers that send to the same receivers at once and are receivers themselves. Each publisher has one message
// in flight: its own copy of it releases the next. Each receiver must get each publisher's messages in order and once.
type crossfire struct {
	guard
	tally
	receivers  int
	publishers []publisher
	free       []int // publishers whose message came back to them
	sent       int

	// next is by receiver and publisher: the number, among the publisher's own, of the message that should come next.
	next []int
}

type publisher struct {
	conn    *load.Conn
	message numbered
	sent    int
}

// perPublisher is how many numbers a publisher has: a message's number tells who sent it.
const perPublisher = 100_000_000

// newCrossfire lets the first of the connections publish, which are all receivers and the loop's first connections.
func newCrossfire(loop *load.Loop, receivers []*load.Conn, publishers, size int) *crossfire {
	c := &crossfire{
		guard:     guard{loop: loop, last: loop.Now()},
		receivers: len(receivers),
		next:      make([]int, len(receivers)*publishers),
	}
	for i, conn := range receivers[:publishers] {
		c.publishers = append(c.publishers, publisher{conn: conn, message: textMessage(size)})
		c.free = append(c.free, i)
	}
	loop.Handle(c)
	loop.Spin = true
	return c
}

// Message counts a delivery.
func (c *crossfire) Message(to *load.Conn, text []byte) {
	n, ok := number(text)
	if !ok {
		return // a late probe
	}
	from, n := n/perPublisher, n%perPublisher
	if from >= len(c.publishers) || n >= c.publishers[from].sent || to.Index >= c.receivers {
		c.fail(fmt.Errorf("unexpected message %.100q", text))
		return
	}
	c.last = c.loop.ReadAt
	next := &c.next[to.Index*len(c.publishers)+from]
	if n < *next {
		c.repeated++
		return
	}
	c.lost += n - *next
	*next = n + 1
	c.arrived++
	if to.Index == from {
		c.done++
		c.free = append(c.free, from)
	}
}

// sendUntil lets publishers send until stop says so.
func (c *crossfire) sendUntil(stop func() bool) error {
	return c.run(func() bool {
		for _, i := range c.free {
			c.publish(i)
		}
		c.free = c.free[:0]
		return stop()
	})
}

func (c *crossfire) publish(i int) {
	p := &c.publishers[i]
	p.conn.Send(p.message.with(i*perPublisher + p.sent))
	p.sent++
	c.sent++
}

func (c *crossfire) drain() error { return c.run(func() bool { return c.outstanding() == 0 }) }

func (c *crossfire) run(stop func() bool) error {
	c.last = c.loop.Now()
	for !stop() {
		if err := c.step(c.missing); err != nil {
			return err
		}
	}
	return nil
}

func (c *crossfire) outstanding() int { return c.sent*c.receivers - c.arrived - c.lost }

func (c *crossfire) missing() string {
	return fmt.Sprintf("%d of %d deliveries missing", c.sent*c.receivers-c.arrived, c.sent*c.receivers)
}
