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
	bytes    int                  // of then
	sends    int                  // messages in then
	joins    map[Address]struct{} // put off and not left again, but for the connection's own
	asked    int                  // joins that were put off, also those that were left
	own      bool                 // joining the connection's own address was
	closes   bool                 // a close frame was
}

// putOff is what is done once the connection is settled.
type putOff struct {
	do    func()
	lost  func() // instead, where the connection is not accepted; nil for nothing
	bytes int    // of a message, and putOffBytes
	sends bool   // the message is to an address
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
	s.bytes += p.bytes
	if p.sends {
		s.sends++
	}
	s.then = append(s.then, p)
	return true
}

// laterMessage is laterLocked within the limits: SendQueueBytes for all messages that
// are put off, one message of any size aside, and SendsInFlight of those to addresses.
// Beyond, p is not put off.
func (c *Conn) laterMessage(p putOff) (later bool, err error) {
	s, limits := c.setup, &c.handler.hub.opts.Limits
	p.bytes += putOffBytes
	switch {
	case s == nil:
		return false, nil
	case p.sends && s.sends >= limits.SendsInFlight:
		return true, errManyPutOff
	case s.bytes > 0 && s.bytes+p.bytes > limits.SendQueueBytes:
		return true, errMuchPutOff
	}
	return c.laterLocked(p), nil
}

var (
	errManyPutOff = &Error{Unavailable, "too many messages wait for the connection to be accepted: see Limits.SendsInFlight"}
	errMuchPutOff = &Error{Unavailable, "too much waits for the connection to be accepted: see Limits.SendQueueBytes"}
)

// laterReply puts a reply off. What finds no room fails within Connect. After that
// the client is too slow, as it were: Options.SlowReader says what becomes of it.
// Called with mu held.
func (c *Conn) laterReply(frame []byte) (later bool, err error) {
	later, err = c.laterMessage(putOff{do: func() { c.report("reply", c.sock.Write(c.Context(), frame, false)) }, bytes: len(frame)})
	hub := c.handler.hub
	switch {
	case err == nil, c.setup.request != nil:
		return later, err
	case hub.opts.SlowReader == DropSlow || c.closing:
		hub.engine.Stats().Dropped.Add(1)
	default:
		hub.engine.Stats().SlowClosed.Add(1)
		c.closing = true
		c.laterClose(func() { c.report("close", c.sock.Close(uint16(CloseNoProgress), "too slow")) })
	}
	return true, nil
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
		if !returned {
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
// time is over, is not done.
func (c *Conn) settleOne() bool {
	late := c.isLate()
	if late {
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
	p := s.then[0]
	s.then[0] = putOff{}
	s.then = s.then[1:]
	s.bytes -= p.bytes
	if p.sends {
		s.sends--
	}
	c.mu.Unlock()
	if !late {
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
// because the layer hangs: joins give up then, and so does this where they cannot.
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

// joinContext returns the context of a join: what Connect asked for has the time of
// the handshake.
func (c *Conn) joinContext() (context.Context, context.CancelFunc) {
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
