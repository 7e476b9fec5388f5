package parley

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/parley-rt/parley/internal/socket"
)

// event is one call to make on a consumer.
type event struct {
	kind               eventKind
	compressed, binary bool // of a received message
	code               CloseCode
	data               []byte   // of a received message
	message            *Message // to deliver
}

type eventKind uint8

const (
	eventReceive eventKind = iota
	eventDeliver
	eventPeerClose // answer the peer's close frame
	eventOver      // the last one
)

// work is what a connection has while a goroutine handles its events.
type work struct {
	queue, batch          []event // what comes next; what is being handled
	receiving, delivering load
	cut                   *time.Timer // ends the context of a connection that was lost while busy
}

// load is what waits of one kind of event.
type load struct{ messages, bytes int }

func (l *load) add(messages, bytes int) {
	l.messages += messages
	l.bytes += bytes
}

var works = sync.Pool{New: func() any { return new(work) }}

// keepEvents bounds what a work keeps for its next connection.
const keepEvents = 64

func (w *work) free() {
	if w.cut != nil {
		w.cut.Stop()
		w.cut = nil
	}
	if cap(w.queue) > keepEvents || cap(w.batch) > keepEvents {
		return
	}
	works.Put(w)
}

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
	w := c.wake()
	size := 0
	for _, m := range messages {
		size += len(m.Data)
		w.queue = append(w.queue, event{kind: eventReceive, compressed: m.Compressed, binary: m.Binary, data: m.Data})
	}
	w.receiving.add(len(messages), size)
	limits := &c.handler.hub.opts.Limits
	c.paused = w.receiving.messages >= limits.ReceiveQueue || w.receiving.bytes >= limits.MessageBytes
	return !c.paused
}

// Deliver queues a message for a Deliverer.
func (e *events) Deliver(value any) bool {
	c := (*Conn)(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.closing {
		return true
	}
	w := c.wake()
	limits, m := &c.handler.hub.opts.Limits, value.(*Message)
	if w.delivering.messages >= limits.DeliverQueue || w.delivering.bytes >= limits.SendQueueBytes {
		return false
	}
	w.delivering.add(1, len(m.Data))
	w.queue = append(w.queue, event{kind: eventDeliver, message: m})
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
	c.joined = memberships{}
	c.mu.Unlock()
	for m := range joined.all {
		m.Forget()
		c.handler.hub.table.release(m.topic)
	}
}

// Closed queues Disconnect.
func (e *events) Closed(code uint16) {
	c := (*Conn)(e)
	c.mu.Lock()
	c.over = true
	busy := c.work != nil
	c.push(event{kind: eventOver, code: CloseCode(code)})
	if busy {
		c.work.cut = time.AfterFunc(c.handler.hub.opts.Limits.CloseTimeout, c.end)
	}
	c.mu.Unlock()
}

// push queues an event. Called with mu held.
func (c *Conn) push(ev event) {
	w := c.wake()
	w.queue = append(w.queue, ev)
}

// wake sees to it that a goroutine handles the queue, to which the caller adds.
// Called with mu held.
func (c *Conn) wake() *work {
	if c.work == nil {
		c.work = works.Get().(*work)
		c.handler.hub.runners.start(c)
	}
	return c.work
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
			c.handler.hub.engine.Flush()
		}
		if len(batch) == 0 {
			returned = true
			return
		}
	}
}

// take takes the queue; when it is empty the connection needs no goroutine.
func (c *Conn) take() []event {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.work
	clear(w.batch)
	w.batch, w.queue = w.queue, w.batch[:0]
	if len(w.batch) == 0 {
		c.work = nil
		w.free()
		return nil
	}
	return w.batch
}

// goOnWithout replaces a goroutine that a callback ended by runtime.Goexit, and
// closes the connection as for a panic.
func (c *Conn) goOnWithout(left []event) {
	c.handler.hub.log.Error("parley: consumer failed", "conn", c.ID(), "err", "a call ended its goroutine")
	c.mu.Lock()
	w := c.work
	w.queue = append(slices.Clone(left), w.queue...)
	c.mu.Unlock()
	c.shut(uint16(CloseInternalError), "internal error")
	c.handler.hub.runners.start(c)
}

func (c *Conn) handle(ev *event) {
	closing := c.begin(ev)
	switch ev.kind {
	case eventReceive:
		if !closing {
			c.call("Receive", func() error { return c.receive(ev) })
		}
	case eventDeliver:
		if !closing {
			c.call("Deliver", func() error { return c.consumer.(Deliverer).Deliver(c, *ev.message) })
		}
	case eventPeerClose:
		c.shut(uint16(ev.code), "")
	case eventOver:
		c.disconnect(ev.code)
	}
}

// begin counts a message out, and has reading go on when half the queue is free:
// whenever it is paused there is a message still to count out. It reports whether
// messages are of no interest any more.
func (c *Conn) begin(ev *event) (closing bool) {
	c.mu.Lock()
	resume := false
	switch w := c.work; ev.kind {
	case eventReceive:
		w.receiving.add(-1, -len(ev.data))
		limits := &c.handler.hub.opts.Limits
		resume = c.paused && w.receiving.messages <= limits.ReceiveQueue/2 && w.receiving.bytes <= limits.MessageBytes/2
		c.paused = c.paused && !resume
	case eventDeliver:
		w.delivering.add(-1, -len(ev.message.Data))
	}
	closing = c.closing
	c.mu.Unlock()
	if resume {
		c.report("resume", c.sock.Resume())
	}
	return closing
}

// call makes a call that may fail the connection. After a failure no more
// messages are received or delivered.
func (c *Conn) call(name string, f func() error) {
	err := c.guard(name, f)
	if err == nil || errors.Is(err, ErrClosed) { // the latter of replying to a client that left
		return
	}
	told := public(err)
	if told.Code == Internal {
		c.handler.hub.log.Error("parley: consumer failed", "call", name, "conn", c.ID(), "err", err)
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
	defer c.handler.hub.live.leave()
	defer c.end()
	err := c.guard("Disconnect", func() error { c.consumer.Disconnect(c, code); return nil })
	if err != nil {
		c.handler.hub.log.Error("parley: consumer failed", "call", "Disconnect", "conn", c.ID(), "err", err)
	}
}
