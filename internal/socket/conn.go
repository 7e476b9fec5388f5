package socket

import (
	"context"
	"net"
	"sync/atomic"
)

// ID names a connection.
type ID [16]byte

// Conn is one WebSocket connection after its handshake. The zero value is for
// Engine.Open. Its exported methods are safe for concurrent use.
type Conn struct {
	ID ID // set before Open

	// Set by Open.
	loop      *Loop
	nc        net.Conn
	transport transport
	handler   Handler

	// Owned by the reader.
	early   []byte // read past the handshake
	decoder decoder
	discard bool // the connection failed: what still arrives is dropped

	// Owned by the loop.
	memberships []membership
	head, tail  int32 // this round's output: indexes of loop.nodes, from 1
	place       int32 // in its bucket of the wheel
	bucket      int32
	state       state
	missed      uint8 // pings without a sign of life
	peerClosed  bool
	flushed     bool // our close frame was handed to the kernel, or cannot be
	broken      bool // writing failed
	failed      bool // the peer broke the protocol
	expiring    bool // in loop.closing
	closeCode   uint16

	// Shared.
	out     atomic.Pointer[outbox] // nil while the loop owns the write side
	seen    atomic.Bool            // something was read since the last ping
	reading atomic.Uint32          // see Resume
}

type state uint8

const (
	stateNew state = iota
	stateOpen
	stateClosing // our close frame is queued or sent
	stateClosed
)

// Accept writes the response of the handshake, and what was held behind it. It
// is called once.
func (c *Conn) Accept() error {
	return c.loop.put(background, post{kind: postAccept, conn: c})
}

// Write queues one frame for this connection. Where its loop's mailbox is full
// it waits until ctx ends.
func (c *Conn) Write(ctx context.Context, frame []byte, more bool) error {
	return c.loop.put(ctx, post{kind: postWrite, conn: c, data: frame, more: more})
}

// Close starts the closing handshake, or answers the peer's. What was written
// before goes out first.
func (c *Conn) Close(code uint16, reason string) error {
	return c.loop.put(background, post{kind: postClose, conn: c, code: code, reason: reason})
}

// Values of Conn.reading.
const (
	readStopped = iota
	readRunning
	readAgain // running, and asked to go on when it is about to stop
)

// Resume starts reading, or goes on with it. It is called once to begin, and
// once for each time that the handler's Receive returned false.
func (c *Conn) Resume() {
	for {
		if c.reading.CompareAndSwap(readStopped, readRunning) {
			if c.loop.engine.enter() {
				c.transport.start(c)
			}
			return
		}
		if c.reading.CompareAndSwap(readRunning, readAgain) {
			return
		}
	}
}

// pause reports whether reading stops now; it does not when Resume was called
// meanwhile.
func (c *Conn) pause() bool {
	if c.reading.CompareAndSwap(readRunning, readStopped) {
		return true
	}
	c.reading.Store(readRunning)
	return false
}

// readEnded is told by the transport that reading stopped: for good, with an
// error, or until Resume.
func (c *Conn) readEnded(err error) {
	if err != nil {
		c.tell(post{kind: postReadEnd, conn: c})
	}
	c.loop.engine.wg.Done()
}

// arrived takes what one read brought, and reports whether to go on reading.
func (c *Conn) arrived(b []byte, in *inbound) bool {
	if !c.seen.Load() {
		c.seen.Store(true)
	}
	if c.discard {
		return true
	}
	in.reset()
	err := c.decoder.decode(b, c.loop.engine.cfg.MessageBytes, in)
	goOn := len(in.messages) == 0 || c.handler.Receive(in.messages)
	if in.pong != nil {
		c.tell(post{kind: postWrite, conn: c, data: appendFrame(nil, opPong, in.pong)})
	}
	if e, failed := err.(*decodeError); failed {
		c.discard = true
		c.tell(post{kind: postFail, conn: c, code: e.code, reason: e.reason})
	} else if in.closed {
		c.handler.PeerClose(in.code, in.reason)
		c.tell(post{kind: postPeerClosed, conn: c, code: in.code})
		return false
	}
	return goOn || !c.pause()
}

// tell posts to the loop from the reader or the writer. The only error is that
// the loop ended, and the connection with it.
func (c *Conn) tell(p post) { _ = c.loop.put(background, p) }
