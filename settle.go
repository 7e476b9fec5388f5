package parley

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Between its handshake and its acceptance a connection puts off what is asked of it,
// by Connect or by others. Once the engine has the connection, settling is the first
// of its events: the runner does what was put off, in order, then answers the
// handshake, and has the connection read. So the program's calls never overlap.

// setup is what a connection needs until it is accepted. Guarded by the connection's
// mu.
type setup struct {
	request  *http.Request // during Connect
	deadline time.Time     // of the handshake
	late     *time.Timer   // ends a connection that does not settle in time
	early    []byte        // what the client sent behind its handshake
	answered bool          // the handshake is
	then     []putOff
	replies  load                 // in then
	sends    load                 // messages to addresses in then
	joins    map[Address]struct{} // put off and not left again, but for the connection's own
	asked    int                  // joins that were put off, also those that were left
	own      bool                 // joining the connection's own address was
	closes   bool                 // a close frame was
}

// putOff is what is done once the connection is settled.
type putOff struct {
	do    func()
	lost  func() // instead, where the connection is over, or late; nil for nothing
	of    *load  // replies or sends of the setup, where a message is put off
	bytes int    // of the message, and putOffBytes
}

// putOffBytes is what a message that is put off costs of the bound besides its data.
const putOffBytes = 64

// laterLocked puts p off until the connection is accepted, unless it already is.
// Called with mu held.
func (c *Conn) laterLocked(p putOff) bool {
	s := c.setup
	if s == nil {
		return false
	}
	if p.of != nil {
		p.of.add(1, p.bytes)
	}
	s.then = append(s.then, p)
	return true
}

// laterMessage is laterLocked of a message that is one of replies or sends, each of which
// may hold SendQueueBytes, or one message of any size. Beyond, p is not put off.
func (c *Conn) laterMessage(of *load, p putOff) error {
	p.of, p.bytes = of, p.bytes+putOffBytes
	switch {
	case c.isLost():
		return ErrClosed
	case of.messages > 0 && of.bytes+p.bytes > c.handler.hub.opts.Limits.SendQueueBytes:
		return errMuchPutOff
	}
	c.laterLocked(p)
	return nil
}

// isLost reports whether what is put off is not done any more: the connection is over, or
// was told that it is late. Called with mu held.
func (c *Conn) isLost() bool { return c.over || c.setup.answered }

var (
	errManyPutOff error = &Error{Unavailable, "too many messages wait for the connection to be accepted: see Limits.SendsInFlight"}
	errMuchPutOff error = &Error{Unavailable, "too much waits for the connection to be accepted: see Limits.SendQueueBytes"}
)

// laterReply puts a reply off, unless the connection is accepted. What finds no room
// fails within Connect. After that the client is too slow, as it were. Called with mu
// held.
func (c *Conn) laterReply(frame []byte) (later bool, err error) {
	s, hub := c.setup, c.handler.hub
	if s == nil {
		return false, nil
	}
	write := func() { c.report("reply", c.sock.Write(c.Context(), frame, false)) }
	err = c.laterMessage(&s.replies, putOff{do: write, bytes: len(frame)})
	switch {
	case err != errMuchPutOff, s.request != nil:
		return true, err
	case hub.opts.SlowReader == DropSlow || c.closing:
		hub.engine.Stats().Dropped.Add(1)
	default:
		hub.engine.Stats().SlowClosed.Add(1)
		c.closing = true
		c.laterClose(func() { c.report("close", c.sock.Close(uint16(CloseNoProgress), "too slow")) })
	}
	return true, nil
}

// laterSend puts off a message to an address, unless the connection is accepted.
func (c *Conn) laterSend(p putOff) (later bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.setup == nil:
		return false, nil
	case c.setup.sends.messages >= c.handler.hub.opts.Limits.SendsInFlight:
		return true, errManyPutOff
	}
	return true, c.laterMessage(&c.setup.sends, p)
}

// laterClose puts a close frame off: the first one counts. Called with mu held.
func (c *Conn) laterClose(send func()) bool {
	s := c.setup
	if s != nil && !s.closes {
		s.closes = true
		c.laterLocked(putOff{do: send})
	}
	return s != nil
}

// later puts f off, unless the connection is accepted.
func (c *Conn) later(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.laterLocked(putOff{do: f})
}

// laterJoin puts a join off. The limit on memberships counts what is put off, and
// joining twice is joining once. Twice as many may be put off where some are left again.
// Called with mu held.
func (c *Conn) laterJoin(to Address, f func()) error {
	s, limit := c.setup, c.handler.hub.opts.Limits.Memberships
	if c.isLost() {
		return ErrClosed
	}
	if to.kind == kindConn {
		if !s.own {
			s.own = c.laterLocked(putOff{do: f})
		}
		return nil
	}
	if _, joins := s.joins[to]; joins {
		return nil
	}
	if len(s.joins) >= limit || s.asked >= 2*limit {
		return errMemberships(limit)
	}
	if s.joins == nil {
		s.joins = make(map[Address]struct{})
	}
	s.joins[to] = struct{}{}
	s.asked++
	c.laterLocked(putOff{do: f})
	return nil
}

// laterLeave puts off leaving an address whose join is put off.
func (c *Conn) laterLeave(to Address) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.setup == nil {
		return false
	}
	if _, joins := c.setup.joins[to]; joins {
		delete(c.setup.joins, to)
		c.laterLocked(putOff{do: func() { c.leaveNow(to, nil) }})
	}
	return true
}

// settling reports whether the connection is not accepted yet.
func (c *Conn) settling() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.setup != nil
}

// settle does what was put off, answers the handshake, and has the connection read.
// Where a callback ends its goroutine the connection is closed as for a panic.
func (c *Conn) settle() {
	returned := false
	defer func() {
		if !returned && c.settling() {
			c.fail(internal())
			c.settle()
		}
	}()
	for c.settleOne() {
	}
	returned = true
}

// settleOne does the first of what was put off, and reports whether there was any.
// What others ask for meanwhile waits its turn. What is not begun when the handshake's
// time is over, or the connection, is not done.
func (c *Conn) settleOne() bool {
	if c.isLate() {
		c.tooLate()
	}
	c.mu.Lock()
	s := c.setup
	if len(s.then) == 0 {
		s.late.Stop()
		c.setup = nil
		answers := s.answer()
		c.mu.Unlock()
		if answers {
			c.start(s.early)
		}
		return false
	}
	p, lost := s.then[0], c.isLost()
	s.then[0] = putOff{}
	s.then = s.then[1:]
	if p.of != nil {
		p.of.add(-1, -p.bytes)
	}
	c.mu.Unlock()
	if !lost {
		p.do()
	} else if p.lost != nil {
		p.lost()
	}
	return true
}

func (c *Conn) isLate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !time.Now().Before(c.setup.deadline)
}

// answer reports whether the handshake is to be answered, which it is once. Called with
// mu held.
func (s *setup) answer() bool {
	answers := !s.answered
	s.answered = true
	return answers
}

// start answers the handshake, and has the connection read.
func (c *Conn) start(early []byte) {
	hub := c.handler.hub
	c.report("accept", c.sock.Accept())
	select {
	case <-hub.closing: // CloseAll may have come too early for this one
		c.shut(uint16(hub.opts.ShutdownCode), shutdownReason)
	default:
	}
	c.report("read", c.sock.Start(early))
}

// settleBy ends a connection that is not settled when the handshake's time is over,
// because the layer hangs: joins and sends give up then, and so does this where they
// cannot.
func (c *Conn) settleBy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setup.late = time.AfterFunc(time.Until(c.setup.deadline)+settleGrace, c.tooLate)
}

// settleGrace is the time that a layer has to notice that a context ended.
const settleGrace = 200 * time.Millisecond

// tooLate closes a connection that did not settle.
func (c *Conn) tooLate() {
	c.mu.Lock()
	s := c.setup
	answers := s != nil && s.answer()
	c.closing = c.closing || answers
	c.mu.Unlock()
	if !answers {
		return
	}
	c.handler.hub.log.Error("parley: a connection did not settle in time: the layer hangs, or Joined does", "conn", c.ID())
	c.report("close", c.sock.Close(uint16(CloseTryAgainLater), errLate.Message))
	c.start(s.early)
}

// errLate is of a handshake that took too long.
var errLate = &Error{Unavailable, "the handshake took too long"}

// settleContext returns the context of what the layer is asked for: what Connect asked
// for has the time of the handshake.
func (c *Conn) settleContext() (context.Context, context.CancelFunc) {
	c.mu.Lock()
	deadline, settles := time.Time{}, c.setup != nil
	if settles {
		deadline = c.setup.deadline
	}
	c.mu.Unlock()
	if !settles {
		return c.Context(), func() {}
	}
	// Not of the connection's context, which costs a connection from the first question
	// for its end.
	return context.WithDeadline(c.Hub().cut, deadline)
}

// failed closes a connection for which something that was put off failed: there is
// nobody to return the error to, so Disconnect tells.
func (c *Conn) failed(what string, failed *failure) {
	if failed == nil || failed.closed {
		return
	}
	c.report(what, errors.New(failed.text))
	c.fail(failed.told)
}

// forget drops what Connect asked for.
func (c *Conn) forget() {
	c.mu.Lock()
	var then []putOff
	if c.setup != nil {
		then = c.setup.then
		if c.setup.late != nil {
			c.setup.late.Stop()
		}
	}
	c.left, c.over, c.setup, c.work = true, true, nil, nil
	c.mu.Unlock()
	loseAll(then)
}

// loseAll tells that what was put off is lost. When a done ends the goroutine it goes
// on.
func loseAll(then []putOff) {
	if len(then) == 0 {
		return
	}
	defer loseAll(then[1:])
	if then[0].lost != nil {
		then[0].lost()
	}
}
