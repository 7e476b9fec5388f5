// Package socket moves WebSocket connections' bytes: RFC 6455 framing, the
// loops that fan messages out, and the engine that reads and writes sockets.
// It knows nothing of addresses, users or consumers: a [Topic] is a set of
// connections that are sent the same frames, and a [Handler] is told what one
// connection received.
//
// Who owns what: a [Loop] goroutine owns its connections: their sockets, what is
// read of them and not yet whole, what waits to be written, their memberships,
// heartbeat and deadlines. Everyone else reaches it through its mailbox. A loop
// never waits. Where it cannot read and write a connection itself, TLS and the
// like, a goroutine reads it, and another one writes while anything waits.
package socket

import (
	"errors"
	"time"
)

// Config bounds what connections may do. Every field but Budget is required.
type Config struct {
	Loops         int           // loops; connections are spread over them evenly
	MessageBytes  int           // payload bytes of one inbound message; beyond: close code 1009
	QueueBytes    int           // bytes queued for a connection that reads too slowly
	DropWhenSlow  bool          // beyond QueueBytes: drop and count, instead of closing the connection
	MailboxBytes  int           // bytes that wait in the mailbox of one loop
	WriteTimeout  time.Duration // a queued write that makes no progress for this long ends the connection
	CloseTimeout  time.Duration // what the closing handshake may take
	PingInterval  time.Duration // heartbeat; two pings in a row without an answer end the connection
	ReceiveGrace  time.Duration // what a message may take to arrive, besides its bytes at ReceiveRate
	ReceiveRate   int           // bytes a second
	Budget        *Budget       // what unfinished messages may hold; nil bounds nothing
	SlowCloseCode uint16        // close code of a connection that reads too slowly
	Portable      bool          // do not use the event loop's own way of reading and writing sockets
}

// ErrClosed is returned for what is sent to a connection or an engine that is
// closed.
var ErrClosed = errors.New("socket: closed")

// Message is one whole inbound data message. Its data is the receiver's to
// keep: it is never reused. That of a compressed one (RFC 7692) is as it arrived,
// and its text not checked.
type Message struct {
	Binary     bool
	Compressed bool
	Data       []byte
}

// Handler is told what happens on one connection. Its methods must not block, nor
// post to a loop: they are called by the connection's loop, or by a stream's reader.
type Handler interface {
	// Receive is given the messages of one read, in order; the slice is the
	// caller's. False pauses reading until Conn.Resume.
	Receive([]Message) bool
	// PeerClose says that the peer's close frame arrived. The handler answers
	// with Conn.Close once it is done with the messages before it.
	PeerClose(code uint16, reason string)
	// Deliver is given the value of a post to a topic that the connection
	// joined for values instead of frames. True is followed by Conn.Done, unless the
	// connection is over. False says that its queue is full, and is followed by Conn.Room.
	Deliver(value any) bool
	// Closing says that the connection has left its topics and is sent nothing
	// any more but our close frame, if that. It is called exactly once, before
	// the peer can know.
	Closing()
	// Closed says that the connection is over. It is called exactly once, after
	// Closing. The error says why the engine could not take it in.
	Closed(code uint16, err error)
}

// Close codes of RFC 6455, section 7.4.1, that this package itself, or its tests, use.
const (
	codeNormal      = 1000
	codeProtocol    = 1002
	codeNoStatus    = 1005
	codeAbnormal    = 1006
	codeInvalidData = 1007
	codePolicy      = 1008
	codeTooBig      = 1009
	codeTryAgain    = 1013
)
