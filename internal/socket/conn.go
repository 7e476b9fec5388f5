package socket

import (
	"context"
	"sync/atomic"
)

// ID names a connection.
type ID [16]byte

// Conn is one WebSocket connection after its handshake. The zero value is for
// Engine.Open. Its exported methods are safe for concurrent use, but not to be
// called on a loop.
type Conn struct {
	ID ID // set before Open

	// Set by Open.
	loop    *Loop
	io      transport
	handler Handler

	// Owned by the reader: the loop, or a stream's goroutine.
	decoder decoder
	discard bool // the connection failed: what still arrives is dropped
	Deflate bool // set before Open: messages may be compressed (RFC 7692)

	// Owned by the loop.
	state      state
	missed     uint8 // pings without a sign of life
	peerClosed bool
	flushed    bool // our close frame was handed to the kernel, or cannot be
	broken     bool // writing failed
	failed     bool // the peer broke the protocol
	expiring   bool // in loop.closing
	listed     bool // in loop.partial
	closeCode  uint16
	head, tail int32 // this round's output: indexes of loop.nodes, from 1
	place      place
	followers  *followers // nil unless it follows logs
	output     int32      // bytes of this round's output, with entryCost for each piece

	// Shared.
	seen    atomic.Bool            // something was read since the last ping
	out     atomic.Pointer[outbox] // nil while the loop writes directly
	outside outside                // bytes that neither of the two holds yet
}

type state uint8

const (
	stateNew state = iota
	stateOpen
	stateClosing // our close frame is queued or sent
	stateClosed
)

// Accept writes the response of the handshake, and what was held behind it. Only the
// first call does anything.
func (c *Conn) Accept() error {
	return c.loop.put(background, post{kind: postAccept, conn: c})
}

// Write queues one frame for this connection, unless more waits for it than may: then
// it is dropped, or the connection closed. Where its loop's mailbox is full it waits
// until ctx ends.
func (c *Conn) Write(ctx context.Context, frame []byte, more bool) error {
	return c.post(ctx, post{kind: postWrite, conn: c, data: frame, more: more})
}

// Close starts the closing handshake, or answers the peer's. What was written
// before goes out first.
func (c *Conn) Close(code uint16, reason string) error {
	return c.loop.put(background, post{kind: postClose, conn: c, code: code, reason: reason})
}

// Start has the connection read. early holds what was read of it past the
// handshake. It is called once.
func (c *Conn) Start(early []byte) error { return c.read(early) }

// Resume goes on with reading. It is called once for each time that the
// handler's Receive returned false.
func (c *Conn) Resume() error { return c.read(nil) }

func (c *Conn) read(early []byte) error {
	return c.loop.put(background, post{kind: postResume, conn: c, data: early})
}

// arrived takes what one read brought, and reports whether to go on reading. What
// the loop is to be told of it is in in.posts.
func (c *Conn) arrived(b []byte, in *inbound) (goOn bool) {
	if !c.seen.Load() {
		c.seen.Store(true)
	}
	in.reset()
	if c.discard {
		return true
	}
	cfg := &c.loop.engine.cfg
	err := c.decoder.decode(b, rules{cfg.MessageBytes, c.Deflate, cfg.Budget, c}, in)
	goOn = len(in.messages) == 0 || c.handler.Receive(in.messages)
	if in.pong != nil {
		in.posts = append(in.posts, post{kind: postPong, conn: c, data: appendFrame(nil, opPong, in.pong)})
	}
	if in.ponged {
		in.posts = append(in.posts, post{kind: postPonged, conn: c, code: uint16(in.number)})
	}
	if e, failed := err.(*decodeError); failed {
		c.fail(e, in)
	} else if in.closed {
		c.decoder.drop(cfg.Budget) // a message may have been begun
		in.posts = append(in.posts, post{kind: postPeerClosed, conn: c, code: in.code, reason: in.reason})
	}
	return goOn
}

// fail ends reading for good.
func (c *Conn) fail(e *decodeError, in *inbound) {
	c.discard = true
	c.decoder.drop(c.loop.engine.cfg.Budget)
	in.closed = false // a close frame that breaks the protocol is no goodbye
	in.posts = append(in.posts, post{kind: postFail, conn: c, code: e.code, reason: e.reason})
}

// End has the loop end the unfinished message. It is for the budget.
func (c *Conn) End() { c.loop.urge(post{kind: postEnd, conn: c}) }
