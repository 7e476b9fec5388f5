package parley

import (
	"sync"
	"time"

	"github.com/parley-rt/parley/internal/socket"
)

// event is one call to make on a consumer.
type event struct {
	kind               eventKind
	compressed, binary bool // of a received message
	waited             bool // for the messages that the connection sent
	code               CloseCode
	data               []byte   // of a received message
	message            *Message // to deliver
	notice             *notice  // to tell
}

type eventKind uint8

const (
	eventReceive eventKind = iota
	eventSettle            // the first one
	eventDeliver
	eventMissed
	eventPeerClose // answer the peer's close frame
	eventOver      // the last one
)

// work is what a connection has while a goroutine handles its events.
type work struct {
	queue, batch []event     // what comes next; what is being handled
	receiving    load        // messages that wait to be received
	delivering   int         // messages that wait to be delivered
	starved      bool        // a message to deliver found no room: the socket waits to hear of some
	keeping      bool        // a kept message is being delivered: replies wait for room
	handled      *Message    // the last kept message to its user that a Deliverer is done with; the runner's
	cut          *time.Timer // ends the context of a connection that was lost while busy
}

// load is what waits of messages.
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
// runner makes the calls.
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

// Deliver queues a message for a Deliverer. The socket bounds their bytes.
func (e *events) Deliver(value any) bool {
	c := (*Conn)(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.closing {
		return true
	}
	w := c.wake()
	room, m := c.handler.hub.opts.Limits.DeliverQueue, value.(*Message)
	if m.kept() { // it can be read again later: what is not kept has room as well
		room = max(1, room/2)
	}
	if w.delivering >= room {
		w.starved = true
		return false
	}
	w.delivering++
	w.queue = append(w.queue, event{kind: eventDeliver, message: m})
	return true
}

// PeerClose queues the answer to the peer's close frame behind the messages
// that came before it.
func (e *events) PeerClose(code uint16, _ string) {
	c := (*Conn)(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejected = CloseCode(code).rejects() && !c.closing
	if !c.over {
		c.push(event{kind: eventPeerClose, code: CloseCode(code)})
	}
}

// Closing forgets the connection's addresses.
func (e *events) Closing() {
	c := (*Conn)(e)
	c.mu.Lock()
	c.left = true
	joined, rejected := c.joined, c.rejected
	c.joined = memberships{}
	c.mu.Unlock()
	for m := range joined.all {
		head := Cursor(m.Head())
		if f, ok := m.Source().(*following); ok && rejected && f.acks() {
			f.rejected()
		}
		m.Forget()
		c.handler.hub.drop(m, head)
	}
}

// Closed queues Disconnect.
func (e *events) Closed(code uint16, err error) {
	c := (*Conn)(e)
	if err != nil {
		c.Hub().log.Warn("parley: a connection was not taken in", "conn", c.ID(), "err", err)
	}
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
