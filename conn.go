package parley

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
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
	paused      bool // reading waits for the consumer
	closing     bool // received messages are of no interest any more
	left        bool // no address is joined any more
	over        bool // the socket is gone
	ended       bool // the context is done
	subprotocol int16
}

// setup is what a connection needs between its handshake and its acceptance.
type setup struct {
	request *http.Request
	then    []func()
	lost    []func() // instead, where the connection is not accepted
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
// afterwards: what is wanted later, the consumer keeps. Its context ends with
// the handshake.
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

// Identify makes the connection one of the user's: it gets what is sent to
// [User] of the name, and what it sends is from that user. The program vouches
// for the name. A connection identifies once; another name is an error with the
// code [Conflict].
func (c *Conn) Identify(name string, _ *JoinOptions) error {
	if err := checkName(name); err != nil {
		return err
	}
	c.mu.Lock()
	if c.user != "" {
		defer c.mu.Unlock()
		if c.user == name {
			return nil
		}
		return &Error{Conflict, "the connection is another user's"}
	}
	name = strings.Clone(name) // it may be a piece of a long request
	c.user = name
	c.mu.Unlock()
	join := func() error { return c.joinAs(name) }
	if c.later(func() { c.report("identify", join()) }) {
		return nil
	}
	return join()
}

// joinAs joins a user's address. Where that cannot be, the connection is nobody's
// again.
func (c *Conn) joinAs(name string) error {
	err := c.joinNow(User(name))
	if err != nil {
		c.mu.Lock()
		c.user = ""
		c.mu.Unlock()
	}
	return err
}

// JoinOptions configure [Conn.Join] and [Conn.Identify], where the address is
// kept. The zero value means the defaults.
type JoinOptions struct {
	// After is the place of the last message that the client has. Those behind
	// it come first, then live ones, in order, none twice. Default: a group's
	// messages from now on; of a user's, all that no connection of the same
	// Device was sent and acknowledged.
	After Cursor

	// Device names which of the user's devices this is: each has a place of its
	// own in the log, which the client's answers to pings move forward, so that
	// a client needs to know nothing of it. A new device starts at the furthest
	// place of any. Only for Identify, without After. At most 200 bytes.
	Device string

	// Joined is called, if not nil, before the first message, with the place that
	// messages come after. missed says that the log could not go on from After:
	// what comes begins with the oldest message that it has.
	Joined func(at Cursor, missed bool)
}

// Join makes the connection a member of a group or of [Everyone], from the
// messages on that are sent after it returned. Joining twice is joining once.
// nil options are the defaults. A user's address is joined by [Conn.Identify].
func (c *Conn) Join(to Address, _ *JoinOptions) error {
	if err := to.check(); err != nil {
		return err
	}
	if to.kind != kindGroup && to.kind != kindEveryone {
		return &Error{BadRequest, "only groups and everyone can be joined"}
	}
	to.name = strings.Clone(to.name) // it may be a piece of a long request
	return c.join(to)
}

func (c *Conn) join(to Address) error {
	if c.later(func() { c.report("join", c.joinNow(to)) }) {
		return nil
	}
	return c.joinNow(to)
}

func (c *Conn) joinNow(to Address) error {
	c.order.Lock()
	defer c.order.Unlock()
	m, err := c.enroll(to)
	if m == nil {
		return err
	}
	return sendError(m.Join())
}

// enroll makes a membership that the loop does not know yet; nil where there is
// one, or none may be.
func (c *Conn) enroll(to Address) (*membership, error) {
	hub := c.Hub()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left {
		return nil, ErrClosed
	}
	found, n := c.joined.find(to)
	if found != nil {
		return nil, nil
	}
	if limit := hub.opts.Limits.Memberships; n >= limit {
		return nil, &Error{TooLarge, fmt.Sprintf("a connection cannot join more than %d addresses", limit)}
	}
	m := &membership{topic: hub.table.hold(to, c.proto())}
	m.Init(&c.sock, &m.topic.Topic)
	c.joined.add(m, n)
	return m, nil
}

// Leave ends the membership of a group or of [Everyone], if there is one.
func (c *Conn) Leave(to Address) {
	if to.kind != kindGroup && to.kind != kindEveryone {
		return
	}
	if !c.later(func() { c.leaveNow(to) }) {
		c.leaveNow(to)
	}
}

func (c *Conn) leaveNow(to Address) {
	c.order.Lock()
	defer c.order.Unlock()
	c.mu.Lock()
	m, _ := c.joined.find(to)
	if m == nil {
		c.mu.Unlock()
		return
	}
	c.joined.remove(m)
	c.mu.Unlock()
	c.report("leave", m.Leave())
	c.Hub().table.release(m.topic)
}

// laterLocked keeps f until the connection is accepted, unless it already is.
// Called with mu held.
func (c *Conn) laterLocked(f func()) bool {
	if c.setup != nil {
		c.setup.then = append(c.setup.then, f)
	}
	return c.setup != nil
}

func (c *Conn) later(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.laterLocked(f)
}

// settling reports whether the connection is not accepted yet.
func (c *Conn) settling() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.setup != nil
}

// laterOr is later with what to do where the connection is never accepted.
func (c *Conn) laterOr(f, lost func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	later := c.laterLocked(f)
	if later {
		c.setup.lost = append(c.setup.lost, lost)
	}
	return later
}

// report logs the error of what was put off until the connection was accepted.
// One that the connection or the hub is closed is expected.
func (c *Conn) report(what string, err error) {
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, socket.ErrClosed) {
		c.Hub().log.Error("parley: failed once accepted", "conn", c.ID(), "call", what, "err", err)
	}
}

// Address returns the connection's own address.
func (c *Conn) Address() Address {
	to := Address{kindConn, c.ID().String()}
	// Whoever has the address may send to it: from here on it is listened to.
	c.report("address", c.join(to))
	return to
}

// Send sends m to an address on behalf of the connection's user, as [Hub.Send]
// does for the program. What a consumer sends for the messages of one read of
// its connection leaves together, at most a millisecond later. Within Connect it
// is put off until the connection is accepted, and does not wait.
func (c *Conn) Send(ctx context.Context, to Address, m Message, options ...SendOption) error {
	e := Envelope{Message: m, More: c.more.Load()}
	kept, err := c.Hub().address(&e, c, to, options)
	if err != nil {
		return err
	}
	if c.settling() && c.sendLater(e, kept, func(_ Sent, err error) { c.report("send", err) }) {
		return nil
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

// Reply sends m to this connection's client, behind what was sent before. It
// returns ErrClosed once the connection is over.
func (c *Conn) Reply(m Message) error {
	frame, err := c.proto().frame(m)
	if err != nil {
		return err
	}
	write := func(more bool) error { return c.sock.Write(c.Context(), frame, more) }
	c.mu.Lock()
	over, later := c.over, c.laterLocked(func() { c.report("reply", write(false)) })
	c.mu.Unlock()
	switch {
	case over:
		return ErrClosed
	case later:
		return nil
	}
	return sendError(write(c.more.Load()))
}

// Close starts the closing handshake with a code that a close frame may carry
// (RFC 6455, section 7.4); the error is about a code that it may not. A reason
// is cut to 123 bytes. Receive is not called any more; Disconnect is once the
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
	later := c.laterLocked(send)
	c.mu.Unlock()
	if later {
		return
	}
	send()
	if resume {
		c.report("resume", c.sock.Resume())
	}
}
