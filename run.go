package parley

import "slices"

// run makes the calls that are queued, and ends when there are none. The hub's
// Close waits for the last one.
func (c *Conn) run() {
	var left []event // of the batch, still to handle
	returned := false
	defer func() {
		if !returned {
			c.goOnWithout(left)
		}
	}()
	for {
		batch := c.take()
		for i := range batch {
			left = batch[i+1:]
			c.more.Store(len(left) > 0 && left[0].kind == eventReceive)
			c.handle(&batch[i])
		}
		if len(batch) == 0 {
			returned = true
			return
		}
		c.tellHandled()
		if len(batch) > 1 {
			c.handler.hub.engine.Flush()
		}
	}
}

// take takes the queue; when it is empty the connection needs no goroutine.
func (c *Conn) take() []event {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.work
	clear(w.batch)
	w.batch, w.queue = w.queue, w.batch[:0]
	if len(w.batch) == 0 {
		c.work = nil
		w.free()
		return nil
	}
	return w.batch
}

// goOnWithout replaces a goroutine that a call ended by runtime.Goexit.
func (c *Conn) goOnWithout(left []event) {
	c.handler.hub.log.Error("parley: consumer failed", "conn", c.ID(), "err", endedGoroutine)
	c.mu.Lock()
	w := c.work
	w.queue = append(slices.Clone(left), w.queue...)
	c.mu.Unlock()
	c.handler.hub.runners.start(c)
}

func (c *Conn) handle(ev *event) {
	closing := c.begin(ev)
	switch ev.kind {
	case eventSettle:
		c.settle()
	case eventReceive:
		if !closing {
			c.call("Receive", func() error { return c.receive(ev) })
		}
	case eventDeliver:
		if !closing {
			c.call("Deliver", func() error { return c.deliver(ev.message) })
		}
		c.sock.Done(len(ev.message.Data))
	case eventMissed:
		c.tellMissed(ev.notice, closing)
	case eventPeerClose:
		if !c.afterSends(ev) {
			c.shut(uint16(ev.code), "")
		}
	case eventOver:
		if !c.afterSends(ev) {
			c.disconnect(ev.code)
		}
	}
}

// deliver hands a message to a Deliverer.
func (c *Conn) deliver(m *Message) error {
	err := genuine(c.consumer.(Deliverer).Deliver(c, *m))
	if err == nil && m.To.kind == kindUser && m.kept() {
		c.work.handled = m
	}
	return err
}

// tellHandled acknowledges the kept messages of a batch.
func (c *Conn) tellHandled() {
	if w := c.work; w.handled != nil {
		c.handled(w.handled)
		w.handled = nil
	}
}

// begin counts a message out, and has reading go on when half the queue is free, and
// a log be read when three quarters are: whenever either waits there is a message
// still to count out. It reports whether messages are of no interest any more.
func (c *Conn) begin(ev *event) (closing bool) {
	c.mu.Lock()
	resume, room := false, false
	limits, w := &c.handler.hub.opts.Limits, c.work
	w.keeping = ev.kind == eventDeliver && ev.message.kept()
	switch ev.kind {
	case eventReceive:
		w.receiving.add(-1, -len(ev.data))
		resume = c.paused && w.receiving.messages <= limits.ReceiveQueue/2 && w.receiving.bytes <= limits.MessageBytes/2
		c.paused = c.paused && !resume
	case eventDeliver:
		w.delivering--
		room = w.starved && w.delivering <= limits.DeliverQueue/4
		w.starved = w.starved && !room
	}
	closing = c.closing
	c.mu.Unlock()
	if resume {
		c.report("resume", c.sock.Resume())
	}
	if room {
		c.report("room", c.sock.Room())
	}
	return closing
}

// call makes a call that may fail the connection. After a failure no more
// messages are received or delivered. A call that ends its goroutine fails it too.
func (c *Conn) call(name string, f func() error) {
	returned := false
	defer func() {
		if !returned {
			c.fail(internal())
		}
	}()
	failed := guard(name, f)
	returned = true
	if failed == nil || failed.ofAnother() {
		return
	}
	c.logFailure(name, failed)
	c.fail(failed.told)
}

// ofAnother reports whether a call failed for the state of a connection that it replied
// to, which left, or is not accepted yet: the connection of the call is accepted.
func (f *failure) ofAnother() bool { return f.closed || f.putOff }

// fail closes the connection for an error.
func (c *Conn) fail(told *Error) { c.shut(uint16(told.Code.CloseCode()), told.Message) }

// logFailure logs a failure whose text nobody is told.
func (c *Conn) logFailure(name string, failed *failure) {
	if failed != nil && failed.told.Code == Internal {
		c.handler.hub.log.Error("parley: consumer failed", "call", name, "conn", c.ID(), "err", failed.text)
	}
}

// disconnect makes the last call.
func (c *Conn) disconnect(code CloseCode) {
	defer c.handler.hub.live.leave()
	defer c.end()
	c.logFailure("Disconnect", guard("Disconnect", func() error { c.consumer.Disconnect(c, code); return nil }))
}
