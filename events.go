package parley

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/parley-rt/parley/internal/socket"
)

// event is one call to make on a consumer.
type event struct {
	kind    eventKind
	code    CloseCode
	message Message
}

type eventKind uint8

const (
	eventReceive eventKind = iota
	eventDeliver
	eventPeerClose // answer the peer's close frame
	eventOver      // the last one
)

// events is a connection as its socket sees it: what happens is queued, and a
// goroutine that lives as long as the queue makes the calls.
type events Conn

// Receive queues what one read brought.
func (e *events) Receive(messages []socket.Message) bool {
	c := (*Conn)(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.over {
		return true
	}
	size := 0
	for _, m := range messages {
		size += len(m.Data)
		c.queue = append(c.queue, event{kind: eventReceive, message: Message{Binary: m.Binary, Data: m.Data}})
	}
	limits := &c.hub.opts.Limits
	pause := c.waiting.messages.Add(int64(len(messages))) >= int64(limits.ReceiveQueue)
	pause = c.waiting.bytes.Add(int64(size)) >= int64(limits.MessageBytes) || pause
	if pause {
		c.paused.Store(true)
	}
	c.wake()
	return !pause
}

// Deliver queues a message for a Deliverer.
func (e *events) Deliver(value any) bool {
	c := (*Conn)(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.closing {
		return true
	}
	limits, m := &c.hub.opts.Limits, value.(*Message)
	if c.delivering.messages.Load() >= int64(limits.DeliverQueue) || c.delivering.bytes.Load() >= int64(limits.SendQueueBytes) {
		return false
	}
	c.delivering.messages.Add(1)
	c.delivering.bytes.Add(int64(len(m.Data)))
	c.push(event{kind: eventDeliver, message: *m})
	return true
}

// PeerClose queues the answer to the peer's close frame behind the messages
// that came before it.
func (e *events) PeerClose(code uint16, _ string) {
	c := (*Conn)(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.push(event{kind: eventPeerClose, code: CloseCode(code)})
	}
}

// Closing forgets the connection's addresses.
func (e *events) Closing() {
	c := (*Conn)(e)
	c.mu.Lock()
	c.left = true
	joined := c.joined
	c.joined = nil
	c.mu.Unlock()
	for _, t := range joined {
		t.members.Forget(&c.sock)
		c.hub.table.release(t)
	}
}

// Closed queues Disconnect.
func (e *events) Closed(code uint16) {
	c := (*Conn)(e)
	c.mu.Lock()
	c.over = true
	busy := c.running
	c.push(event{kind: eventOver, code: CloseCode(code)})
	c.mu.Unlock()
	if busy {
		time.AfterFunc(c.hub.opts.Limits.CloseTimeout, c.end)
	}
}

// push queues an event. Called with mu held.
func (c *Conn) push(ev event) {
	c.queue = append(c.queue, ev)
	c.wake()
}

// wake sees to it that a goroutine handles the queue. Called with mu held.
func (c *Conn) wake() {
	if !c.running {
		c.running = true
		go c.run()
	}
}

// run makes the calls that are queued, and ends when there are none. The hub's
// Close waits for the last one.
func (c *Conn) run() {
	var left []event // of the batch, still to handle
	returned := false
	defer func() {
		if !returned {
			c.goOnWithout(left)
		}
	}()
	for {
		batch := c.take()
		for i := range batch {
			left = batch[i+1:]
			c.more.Store(len(left) > 0 && left[0].kind == eventReceive)
			c.handle(&batch[i])
		}
		if len(batch) > 1 {
			c.hub.engine.Flush()
		}
		if len(batch) == 0 {
			returned = true
			return
		}
	}
}

// take takes the queue; when it is empty the goroutine that handles it ends.
func (c *Conn) take() []event {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch := c.queue
	c.queue = nil
	c.running = len(batch) > 0
	return batch
}

// goOnWithout replaces a goroutine that a callback ended by runtime.Goexit, and
// closes the connection as for a panic.
func (c *Conn) goOnWithout(left []event) {
	c.hub.log.Error("parley: consumer failed", "conn", c.ID(), "err", "a call ended its goroutine")
	c.mu.Lock()
	c.queue = append(left, c.queue...)
	c.mu.Unlock()
	c.shut(uint16(CloseInternalError), "internal error")
	go c.run()
}

func (c *Conn) handle(ev *event) {
	switch ev.kind {
	case eventReceive:
		c.received(len(ev.message.Data))
		c.call("Receive", func() error { return c.consumer.Receive(c, ev.message) })
	case eventDeliver:
		c.delivering.messages.Add(-1)
		c.delivering.bytes.Add(-int64(len(ev.message.Data)))
		c.call("Deliver", func() error { return c.consumer.(Deliverer).Deliver(c, ev.message) })
	case eventPeerClose:
		c.shut(uint16(ev.code), "")
	case eventOver:
		c.disconnect(ev.code)
	}
}

// received counts a message out, and has reading go on when half the queue is
// free. Whenever reading is paused there is a message still to count out.
func (c *Conn) received(size int) {
	limits := &c.hub.opts.Limits
	messages, bytes := c.waiting.messages.Add(-1), c.waiting.bytes.Add(-int64(size))
	if !c.paused.Load() || messages > int64(limits.ReceiveQueue/2) || bytes > int64(limits.MessageBytes/2) {
		return
	}
	c.mu.Lock()
	resume := c.paused.Swap(false)
	c.mu.Unlock()
	if resume {
		c.sock.Resume()
	}
}

// call makes a call that may fail the connection. After a failure no more
// messages are received or delivered.
func (c *Conn) call(name string, f func() error) {
	c.mu.Lock()
	closing := c.closing
	c.mu.Unlock()
	if closing {
		return
	}
	err := c.guard(name, f)
	if err == nil || errors.Is(err, ErrClosed) { // the latter of replying to a client that left
		return
	}
	told := public(err)
	if told.Code == Internal {
		c.hub.log.Error("parley: consumer failed", "call", name, "conn", c.ID(), "err", err)
	}
	c.shut(uint16(told.Code.CloseCode()), told.Message)
}

// guard turns a panic into an error.
func (c *Conn) guard(name string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic in %s: %v\n%s", name, v, debug.Stack())
		}
	}()
	return f()
}

// disconnect makes the last call.
func (c *Conn) disconnect(code CloseCode) {
	defer c.hub.live.leave()
	defer c.end()
	err := c.guard("Disconnect", func() error { c.consumer.Disconnect(c, code); return nil })
	if err != nil {
		c.hub.log.Error("parley: consumer failed", "call", "Disconnect", "conn", c.ID(), "err", err)
	}
}
