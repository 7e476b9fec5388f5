package parley

import (
	"context"
	"sync"
	"time"
)

// SendAsync is [Hub.Send] that does not wait until a kept message is safe: done is
// called once it is, with its place in the log, or with the error, exactly once.
// The messages that one goroutine sends to an address are kept in the order of
// its calls, and their dones called in it. It waits only while
// 16 times [Limits.SendsInFlight] of the program's messages are on their way, or
// while the layer has no room, and no longer than until the hub closes: then the
// error is ErrClosed.
//
// Of a kept message done is called by a goroutine of the layer, and holds up
// others as long as it takes: it must not wait. It may send what is not kept, and
// reply; what it sends to kept addresses, it sends on another goroutine. Where a
// message is not kept, or was refused, done is called before SendAsync returns, by the
// caller's goroutine. A panic in done is logged and does no more harm. If done ends its
// goroutine (runtime.Goexit), that is logged, and it harms nothing but a caller whose
// goroutine it is.
func (h *Hub) SendAsync(to Address, m Message, done func(Sent, error), options ...SendOption) {
	e := Envelope{Message: m}
	kept, err := h.address(&e, nil, to, options)
	if err != nil {
		h.tell(done, Sent{}, err)
		return
	}
	h.sendAsync(h.cut, nil, &e, kept, done)
}

// SendAsync is [Conn.Send] that does not wait until a kept message is safe, as
// [Hub.SendAsync] is [Hub.Send]. It waits only while [Limits.SendsInFlight] of the
// connection's messages are on their way, or while the layer has no room, and no
// longer than until the connection's context ends: then the error is ErrClosed.
//
// The client's close frame is answered, and Disconnect called, when every done has
// returned. Where [Limits.CloseTimeout] passes before, the answer is not the code that
// the client sent, but CloseTryAgainLater: it is not known then what is safe. Within
// Connect sending is put off until the connection is accepted. The error is ErrClosed if
// that does not happen in time, and has the code [Unavailable] if the layer takes too long
// or more is put off than may, as for [Conn.Send]. If done ends its goroutine while the connection does what was put
// off, the connection is closed as for a consumer's call.
func (c *Conn) SendAsync(to Address, m Message, done func(Sent, error), options ...SendOption) {
	h := c.Hub()
	e := Envelope{Message: m, More: c.more.Load()}
	kept, err := h.address(&e, c, to, options)
	if err != nil {
		h.tell(done, Sent{}, err)
		return
	}
	if c.settling() {
		lost := func() { h.tell(done, Sent{}, ErrClosed) }
		if later, err := c.sendLater(e, kept, done, lost); err != nil {
			h.tell(done, Sent{}, err)
			return
		} else if later {
			return
		}
	}
	h.sendAsync(c.Context(), c, &e, kept, done)
}

// sendLater puts off what is sent within Connect. lost is called where the connection
// is never accepted, if it is not nil.
func (c *Conn) sendLater(e Envelope, kept bool, done func(Sent, error), lost func()) (later bool, err error) {
	if kept {
		if err := c.Hub().canKeep(&e); err != nil {
			return true, err
		}
	}
	send := func() {
		ctx, cancel := c.settleContext()
		defer cancel()
		c.Hub().sendAsync(ctx, c, &e, kept, done)
	}
	return c.laterSend(putOff{do: send, lost: lost, bytes: len(e.Data)})
}

// canKeep returns why a message cannot be kept, as far as that is known now.
func (h *Hub) canKeep(e *Envelope) error {
	if int64(len(e.Data)) > h.keep.find(e.To).Bytes {
		return &Error{TooLarge, "the message is larger than what is kept of its address"}
	}
	return h.link.Health()
}

// sendAsync sends on behalf of a connection, or the program, where it is nil. ctx is not
// the caller's.
func (h *Hub) sendAsync(ctx context.Context, c *Conn, e *Envelope, kept bool, done func(Sent, error)) {
	switch {
	case !kept:
		err := closedError(ctx, h.link.Send(ctx, *e))
		h.tell(done, Sent{Time: e.Time}, sendError(err))
	case !h.keeping.enter():
		h.tell(done, Sent{}, ErrClosed)
	case c != nil:
		c.flight().append(ctx, e, done)
	default:
		h.flight.append(ctx, e, done)
	}
}

// closedError is ErrClosed where a context that is not the caller's ended, and errLate
// where it ended at its deadline: that of the handshake.
func closedError(ctx context.Context, err error) error {
	switch {
	case !ended(ctx, err):
		return err
	case ctx.Err() == context.DeadlineExceeded:
		return errLate
	}
	return ErrClosed
}

// tell calls done. A panic in it must not reach the layer. If done ends its goroutine,
// the layer goes on with another one.
func (h *Hub) tell(done func(Sent, error), sent Sent, err error) {
	why := endedGoroutine
	defer func() {
		if v := recover(); v != nil {
			why = panicked("done", v)
		}
		if why != "" {
			h.log.Error("parley: done failed", "err", why)
		}
	}()
	if err != nil {
		sent = Sent{}
	}
	done(sent, err)
	why = ""
}

// inFlight are the kept messages of one sender whose dones have not returned.
type inFlight struct {
	hub  *Hub
	conn *Conn         // nil for the program
	room chan struct{} // holds one for each that was handed to the layer

	// Of a connection, guarded by its mu.
	n       int         // with those that wait for room
	then    []event     // to be handled when n is 0
	overdue *time.Timer // handles them all the same
}

// programShare is how many times more messages the program may have on their way
// than a connection.
const programShare = 16

// flights returns a pool of those of connections.
func flights(h *Hub) *sync.Pool {
	return &sync.Pool{New: func() any { return newInFlight(h, h.opts.Limits.SendsInFlight) }}
}

func newInFlight(h *Hub, limit int) *inFlight {
	return &inFlight{hub: h, room: make(chan struct{}, limit)}
}

// append has e kept, when there is room. The caller has entered the hub's gate.
func (f *inFlight) append(ctx context.Context, e *Envelope, done func(Sent, error)) {
	if !f.take(ctx) {
		defer f.end()
		f.hub.tell(done, Sent{}, closedError(ctx, ctx.Err()))
		return
	}
	finish := func(sent Sent, err error) {
		defer f.land() // also where done ends its goroutine
		f.hub.tell(done, sent, err)
	}
	if err := f.hub.link.Append(ctx, *e, finish); err != nil {
		finish(Sent{}, closedError(ctx, err))
	}
}

// take waits for room until ctx ends.
func (f *inFlight) take(ctx context.Context) bool {
	select {
	case f.room <- struct{}{}:
		return true
	default:
	}
	select {
	case f.room <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// land makes room for another message, and counts this one out.
func (f *inFlight) land() {
	<-f.room
	f.end()
}

// end counts a message out.
func (f *inFlight) end() {
	h := f.hub
	if f.conn != nil {
		f.conn.landed(f)
	}
	h.keeping.leave()
}

// flight counts a message in.
func (c *Conn) flight() *inFlight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sends == nil {
		c.sends = c.handler.hub.flights.Get().(*inFlight)
		c.sends.conn = c
	}
	c.sends.n++
	return c.sends
}

// landed counts a message out, and goes on with what waited for the last one.
func (c *Conn) landed(f *inFlight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.n--; f.n > 0 {
		return
	}
	c.goOn()
	c.sends, f.conn = nil, nil
	f.hub.flights.Put(f)
}

// afterSends puts an event off until every done has returned, if one has not. It
// is put off once.
func (c *Conn) afterSends(ev *event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, hub := c.sends, c.handler.hub
	if f == nil || ev.waited || hub.cut.Err() != nil {
		return false
	}
	ev.waited = true
	f.then = append(f.then, *ev)
	if ev.kind == eventOver { // a close frame is answered by the loop when its time is up
		f.overdue = time.AfterFunc(hub.opts.Limits.CloseTimeout, c.overdue)
	}
	return true
}

// overdue goes on with what waited, as it waited long enough.
func (c *Conn) overdue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sends != nil {
		c.goOn()
	}
}

// goOn handles what was put off. Called with mu held.
func (c *Conn) goOn() {
	f := c.sends
	for _, ev := range f.then {
		if ev.kind == eventOver || !c.over {
			c.push(ev)
		}
	}
	clear(f.then)
	f.then = f.then[:0]
	if f.overdue != nil {
		f.overdue.Stop()
		f.overdue = nil
	}
}
