package parley

import (
	"context"
	"fmt"
	"strings"

	"github.com/parley-rt/parley/internal/socket"
)

// Identify makes the connection one of the user's: it gets what is sent to
// [User] of the name, and what it sends is from that user. The program vouches
// for the name. A connection identifies once; another name is an error with the
// code [Conflict].
//
// Where the user's messages are kept ([Options.Keep]; they are by default), those
// come first that no connection of the user's acknowledged yet, oldest first: the
// connection is pinged after what it is sent, and the answer, which any WebSocket
// client gives by itself, acknowledges. What was sent but not acknowledged when a
// connection is lost is sent again to the next one. nil options are the defaults.
//
// Identifying as the same user again waits for the first call to fail or to call Joined,
// and returns what that did. Within Connect it is put off, as [Conn.Join] is.
func (c *Conn) Identify(name string, options *JoinOptions) error {
	if err := checkName(name); err != nil {
		return err
	}
	opts, err := options.check(User(name))
	if err != nil {
		return err
	}
	return c.join(Address{kindUser, strings.Clone(name)}, opts) // it may be a piece of a long request
}

// JoinOptions configure [Conn.Join] and [Conn.Identify], where the address is
// kept. The zero value means the defaults.
type JoinOptions struct {
	// After is the place of the last message that the client has. Those behind
	// it come first, then live ones, in order, none twice; no answer to a ping
	// acknowledges anything. Where nothing is kept that is an error with the code
	// [BadRequest]. Default: a group's messages from now on; of a user's,
	// all that no connection of the same Device acknowledged.
	After Cursor

	// Device names which of the user's devices this is, each of which has a place
	// of its own in the log. A new one begins at the furthest place of any, or
	// with the oldest message; the one without a name is new until it acknowledged
	// something, or another one is known. One that is not connected for twice as long as
	// messages are kept is new again. Beyond [MaxCursors] named ones a new one fails with
	// the code [Conflict]. Only for Identify, without After. At most 200 bytes,
	// as the name of a user is.
	Device string

	// Joined is called, if not nil, before the first message, with the place that
	// messages come after. missed says that the log could not go on from where it
	// was to, and begins with the oldest message that it has: there may have been
	// others before. So it is for a user's first connection whose oldest messages are
	// gone. It is not called where the address is not kept.
	Joined func(at Cursor, missed bool)

	// Missed is called, if not nil, when the connection does not get all kept
	// messages of the address: before those behind the gap, and in order with the
	// consumer's other calls. It is not called for a gap that Joined told of. Each
	// gap is counted in [Stats].
	Missed func(Missed)
}

// check returns the options, of which nil are the defaults, or what is wrong with
// them.
func (o *JoinOptions) check(to Address) (JoinOptions, error) {
	if o == nil {
		return JoinOptions{}, nil
	}
	opts := *o
	if opts.Device == "" {
		return opts, nil
	}
	if to.kind != kindUser || !opts.After.IsZero() {
		return opts, &Error{BadRequest, "a device is for a user's messages, without a cursor to begin after"}
	}
	opts.Device = strings.Clone(opts.Device)
	return opts, checkName(opts.Device)
}

// Join makes the connection a member of a group or of [Everyone], from the
// messages on that are sent after it returned, or those behind
// [JoinOptions.After]. Joining twice is joining once: the second one waits for the
// first one to fail or to call Joined, and returns what that did. nil options are the defaults. A user's
// address is joined by [Conn.Identify].
//
// Within Connect joining is put off until the connection is accepted, and has the rest
// of [Limits.HandshakeTimeout]. nil says then that no limit and no rule is against it.
// Where joining fails later, because a log cannot be read, the connection is closed
// with the close code of the error's code. Joined is called by the goroutine of the
// consumer's other calls, and before them. After that, the goroutine that calls Join
// calls Joined: unless that is in a call of the consumer, the two may overlap.
func (c *Conn) Join(to Address, options *JoinOptions) error {
	if err := to.check(); err != nil {
		return err
	}
	if to.kind != kindGroup && to.kind != kindEveryone {
		return &Error{BadRequest, "only groups and everyone can be joined"}
	}
	opts, err := options.check(to)
	if err != nil {
		return err
	}
	to.name = strings.Clone(to.name) // it may be a piece of a long request
	return c.join(to, opts)
}

func (c *Conn) join(to Address, options JoinOptions) (err error) {
	if !options.After.IsZero() && c.handler.hub.keep.find(to) == nil {
		return errNotKept(to)
	}
	mine, other, err := c.ask(to, func() { c.joinLater(to, options) })
	switch {
	case other != nil:
		return c.await(other)
	case mine == nil:
		return err
	}
	err = internal() // where Joined panics, or ends the goroutine
	defer func() { c.Hub().joins.end(joinID{c, to}, mine, err) }()
	err = c.joinNow(to, &options, mine)
	return err
}

// joinLater is joinNow for what was put off.
func (c *Conn) joinLater(to Address, options JoinOptions) {
	c.failed("join", guard("Joined", func() error { return c.joinNow(to, &options, nil) }))
}

// joinNow joins an address. Where a user's cannot be, the connection is nobody's
// again.
func (c *Conn) joinNow(to Address, options *JoinOptions, mine *joining) error {
	joined := false // also when Joined panics, or ends its goroutine
	defer func() {
		if !joined && to.kind == kindUser {
			c.mu.Lock()
			c.user = ""
			c.mu.Unlock()
		}
	}()
	err := c.subscribe(to, options, mine)
	joined = err == nil
	return err
}

// subscribe declares the interest in an address before anything else, so that
// whatever membership there is has it.
func (c *Conn) subscribe(to Address, options *JoinOptions, mine *joining) error {
	hub := c.Hub()
	ctx, cancel := c.settleContext()
	defer cancel()
	if err := hub.link.Subscribe(ctx, to); err != nil {
		return joinError(ctx, err)
	}
	f, joined, err := c.enroll(to, options)
	if !joined {
		hub.link.Unsubscribe(to)
		return err
	}
	if f == nil {
		return err
	}
	begun := false // also when Joined panics, or ends its goroutine
	defer func() {
		if !begun {
			c.leaveNow(to, f.member)
		}
	}()
	if err := f.begin(ctx, options, mine); err != nil {
		return joinError(ctx, err)
	}
	begun = true
	return nil
}

// joinError gives the error of a join its code.
func joinError(ctx context.Context, err error) error {
	if ended(ctx, err) {
		return fmt.Errorf("%w (%w)", &Error{Unavailable, "joining took too long"}, err)
	}
	return sendError(err)
}

// errLeft is told to whoever waits for a join of what was left meanwhile.
var errLeft = &Error{Conflict, "the address was left meanwhile"}

func errMemberships(limit int) error {
	return &Error{TooLarge, fmt.Sprintf("a connection cannot join more than %d addresses", limit)}
}

// enroll makes a membership, unless there is one, or none may be. One of a kept
// address is still to begin following its log.
func (c *Conn) enroll(to Address, options *JoinOptions) (f *following, joined bool, err error) {
	c.order.Lock()
	defer c.order.Unlock()
	m, f, err := c.enter(to, options)
	switch {
	case m == nil:
		return nil, false, err
	case f == nil:
		return nil, true, sendError(m.Join())
	}
	return f, true, nil
}

// enter makes a membership that the loop does not know yet; nil where there is
// one, or none may be.
func (c *Conn) enter(to Address, options *JoinOptions) (m *membership, f *following, err error) {
	hub := c.Hub()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left {
		return nil, nil, ErrClosed
	}
	found, n := c.joined.find(to)
	if found != nil {
		return nil, nil, nil
	}
	if limit := hub.opts.Limits.Memberships; to.kind != kindConn && n-int(c.own) >= limit {
		return nil, nil, errMemberships(limit)
	}
	m = &membership{topic: hub.table.hold(to, c.proto())}
	if hub.keep.find(to) != nil {
		f = newFollowing(c, m, options)
		hub.table.claim(f)
	} else {
		m.Init(&c.sock, &m.topic.Topic)
	}
	if c.joined.add(m, n); to.kind == kindConn {
		c.own = 1
	}
	return m, f, nil
}

// Leave ends the membership of a group or of [Everyone], if there is one.
func (c *Conn) Leave(to Address) {
	if to.kind != kindGroup && to.kind != kindEveryone {
		return
	}
	if !c.laterLeave(to) {
		c.leaveNow(to, nil)
	}
}

// leaveNow ends the membership of an address, but none other than only, if that is
// not nil: it may have been left, and the address joined again.
func (c *Conn) leaveNow(to Address, only *membership) {
	c.order.Lock()
	defer c.order.Unlock()
	if only == nil { // who joins from now on does not wait for a join that was left
		id := joinID{c, to}
		c.Hub().joins.end(id, c.Hub().joins.find(id), errLeft)
	}
	c.mu.Lock()
	m, _ := c.joined.find(to)
	if m == nil || only != nil && m != only {
		c.mu.Unlock()
		return
	}
	c.joined.remove(m)
	c.mu.Unlock()
	c.report("leave", m.Leave())
	c.Hub().drop(m, Cursor{})
}

// drop forgets a membership that nobody can find any more. head is the place of the
// newest message that came by where the connection ends; else zero.
func (h *Hub) drop(m *membership, head Cursor) {
	if f, ok := m.Source().(*following); ok {
		h.unclaim(f, head)
	}
	h.table.release(m.topic)
	h.link.Unsubscribe(m.topic.address())
}

// handled says that a Deliverer is done with a kept message to the connection's
// user.
func (c *Conn) handled(m *Message) {
	c.mu.Lock()
	found, _ := c.joined.find(m.To)
	c.mu.Unlock()
	if found != nil {
		c.report("handled", found.Handled(socket.Position(m.Cursor)))
	}
}
