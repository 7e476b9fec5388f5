package parley

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/parley-rt/parley/internal/socket"
)

// ConnID names one connection; it cannot be guessed.
type ConnID [16]byte

// String returns the ID as 32 hexadecimal digits.
func (id ConnID) String() string { return hex.EncodeToString(id[:]) }

// Conn is one client's connection, given to its [Consumer]. Its methods may be
// called by any goroutine, also after the connection ended.
type Conn struct {
	handler  *handler
	consumer Consumer
	sock     socket.Conn
	since    int64       // Unix time in nanoseconds
	more     atomic.Bool // the consumer has another message of the same read to handle

	order sync.Mutex // held while joined and the loop are told, so that both hear joins and leaves in one order

	mu          sync.Mutex // guards what follows, but subprotocol, which does not change
	setup       *setup     // until accepted
	work        *work      // while a goroutine handles events
	life        *life      // if anybody asked when the context ends
	sends       *inFlight  // while kept messages are on their way that SendAsync sent
	user        string
	joined      memberships
	paused      bool  // reading waits for the consumer
	rejected    bool  // the peer's close code says that it could not take what it was sent
	closing     bool  // received messages are of no interest any more
	left        bool  // no address is joined any more
	over        bool  // the socket is gone
	ended       bool  // the context is done
	own         uint8 // 1 where its own address is one of joined, which no limit counts
	subprotocol int16
}

// Hub returns the connection's hub.
func (c *Conn) Hub() *Hub { return c.handler.hub }

// ID returns the connection's name, unique among all connections.
func (c *Conn) ID() ConnID { return ConnID(c.sock.ID) }

// Subprotocol returns the subprotocol agreed on, "" for none.
func (c *Conn) Subprotocol() string {
	if c.subprotocol < 0 {
		return ""
	}
	return c.handler.subprotocols[c.subprotocol]
}

// Request returns the request of the handshake during Connect, and nil
// afterwards. Copy anything you need later. Its context ends with the handshake.
func (c *Conn) Request() *http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.setup == nil {
		return nil
	}
	return c.setup.request
}

// User returns the name that the connection identified as, "" for none.
func (c *Conn) User() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.user
}

// report logs the error of what was put off until the connection was accepted.
// One that the connection or the hub is closed is expected.
func (c *Conn) report(what string, err error) {
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, socket.ErrClosed) {
		c.Hub().log.Error("parley: failed once accepted", "conn", c.ID(), "call", what, "err", err)
	}
}

// Address returns the connection's own address, which no limit on memberships counts.
// The address of a connection that is over reaches nobody: sending to it is no
// error. Where the layer refuses the interest in it, the connection is closed with the
// close code of the error.
func (c *Conn) Address() Address {
	to := Address{kindConn, c.ID().String()}
	// Whoever has the address may send to it: from here on it is listened to.
	c.failed("address", judge(c.join(to, JoinOptions{})))
	return to
}

// Send sends m to an address on behalf of the connection's user, as [Hub.Send]
// does for the program. What a consumer sends for the messages of one read of
// its connection leaves together, at most a millisecond later.
//
// Within Connect, and until the connection is accepted, the message is put off, and nil
// says no more than that. Send does not wait then. It refuses a message that is too large,
// or cannot be kept now. It fails with the code [Unavailable] beyond
// [Limits.SendsInFlight] messages that are put off, or [Limits.SendQueueBytes]; one
// message may be larger. Where sending fails later the connection is closed with the close
// code of the error's code. [Conn.SendAsync] tells what became of a message.
func (c *Conn) Send(ctx context.Context, to Address, m Message, options ...SendOption) error {
	e := Envelope{Message: m, More: c.more.Load()}
	kept, err := c.Hub().address(&e, c, to, options)
	if err != nil {
		return err
	}
	if c.settling() {
		if later, err := c.sendLater(e, kept, func(_ Sent, err error) { c.failed("send", judge(err)) }, nil); later {
			return err
		}
	}
	return c.Hub().send(ctx, &e, kept)
}

// from returns whom the connection's messages are from.
func (c *Conn) from() Address {
	if user := c.User(); user != "" {
		return User(user)
	}
	return Address{}
}

// Reply sends m to this connection's client, behind what was sent before. Where more
// waits for the client than may, m is dropped, or the connection closed: see
// [Options.SlowReader]. It returns ErrClosed once the connection is over, and an error
// with the code [BadRequest] for invalid text.
//
// Until the connection is accepted replies are put off. Beyond [Limits.SendQueueBytes] of
// them Reply fails with the code [Unavailable] within Connect; one reply may be larger.
// A call of another connection that returns this error, or ErrClosed, has not failed.
//
// While a [Deliverer] handles a kept message nothing is dropped or closed for a reply:
// Reply waits until the client took most of what waits for it, or the connection ends.
func (c *Conn) Reply(m Message) error {
	frame, err := c.proto().frame(m)
	if err != nil {
		return err
	}
	c.mu.Lock()
	over, keeping := c.over, c.work != nil && c.work.keeping
	later, err := c.laterReply(frame)
	c.mu.Unlock()
	switch {
	case over:
		return ErrClosed
	case later:
		return err
	case keeping:
		ctx := c.Context()
		return sendError(closedError(ctx, c.sock.WriteKept(ctx, frame, c.more.Load())))
	}
	return sendError(c.sock.Write(c.Context(), frame, c.more.Load()))
}

// Close starts the closing handshake with a code that a close frame may carry
// (RFC 6455, section 7.4); the error is about a code that it may not. A reason
// is cut to 123 bytes, and U+FFFD replaces bytes that are not UTF-8. Receive is not called any more; Disconnect is once the
// handshake is done or [Limits.CloseTimeout] passed.
func (c *Conn) Close(code CloseCode, reason string) error {
	if !socket.ValidCloseCode(uint16(code)) {
		return &Error{BadRequest, "a close frame may not carry code " + code.String()}
	}
	c.shut(uint16(code), reason)
	return nil
}

// shut stops receiving, and sends a close frame.
func (c *Conn) shut(code uint16, reason string) {
	send := func() { c.report("close", c.sock.Close(code, reason)) }
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	c.closing = true
	resume := c.paused // or the peer's close frame would not be read
	c.paused = false
	later := c.laterClose(send)
	c.mu.Unlock()
	if later {
		return
	}
	send()
	if resume {
		c.report("resume", c.sock.Resume())
	}
}
