package scenario

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
)

// broadcast keeps a number of messages from one sender in flight to all receivers, and checks that each receiver gets each one once.
// A message is done when all receivers have it.
type broadcast struct {
	guard
	tally
	sender    *load.Conn
	message   numbered
	window    int
	receivers int
	onDone    func(n int) // called for each message that is done; may be nil

	next   []int           // by receiver: the number it should get next
	have   []int           // by number modulo window: how many receivers have that message
	sentAt []time.Duration // by number modulo window
	sent   int
}

// newBroadcast sends from the first of the receivers, which are the loop's first connections.
func newBroadcast(loop *load.Loop, receivers []*load.Conn, message numbered, window int) *broadcast {
	b := &broadcast{
		guard:     guard{loop: loop, last: loop.Now()},
		sender:    receivers[0],
		message:   message,
		window:    window,
		receivers: len(receivers),
		next:      make([]int, len(receivers)),
		have:      make([]int, window),
		sentAt:    make([]time.Duration, window),
	}
	loop.Handle(b)
	loop.Spin = true
	return b
}

// Message counts a delivery.
func (b *broadcast) Message(c *load.Conn, text []byte) {
	n, ok := number(text)
	if !ok {
		return // a late probe
	}
	if n >= b.sent || c.Index >= len(b.next) {
		b.fail(fmt.Errorf("unexpected message %.100q", text))
		return
	}
	b.last = b.loop.ReadAt
	expected := b.next[c.Index]
	if n < expected {
		b.repeated++
		return
	}
	for missed := expected; missed < n; missed++ {
		b.lost++
		b.account(missed)
	}
	b.next[c.Index] = n + 1
	b.arrived++
	b.account(n)
}

func (b *broadcast) account(n int) {
	slot := &b.have[n%b.window]
	*slot++
	if *slot < b.receivers {
		return
	}
	*slot = 0
	b.done++
	if b.onDone != nil {
		b.onDone(n)
	}
}

// sendUntil keeps the window full until stop says so.
func (b *broadcast) sendUntil(stop func() bool) error { return b.run(math.MaxInt, stop) }

// sendMore sends n messages and waits until they are done.
func (b *broadcast) sendMore(n int) error {
	end := b.sent + n
	return b.run(end, func() bool { return b.done >= end })
}

// sendMoreWatched sends n messages, waits until they are done, and calls look again and again meanwhile.
func (b *broadcast) sendMoreWatched(n int, look func() error) error {
	end := b.sent + n
	var failure error
	err := b.run(end, func() bool {
		failure = look()
		return failure != nil || b.done >= end
	})
	return errors.Join(err, failure)
}

// drain waits until all that was sent is done.
func (b *broadcast) drain() error { return b.sendMore(0) }

// run keeps the window full, but sends no message with the number end or above.
func (b *broadcast) run(end int, stop func() bool) error {
	b.last = b.loop.Now()
	for !stop() {
		for b.sent < end && b.sent-b.done < b.window {
			b.sentAt[b.sent%b.window] = b.loop.Now()
			b.sender.Send(b.message.with(b.sent))
			b.sent++
		}
		if err := b.step(b.missing); err != nil {
			return err
		}
	}
	return nil
}

func (b *broadcast) missing() string {
	return fmt.Sprintf("%d of %d deliveries missing", b.sent*b.receivers-b.arrived, b.sent*b.receivers)
}
