package parley

import (
	"context"
	"time"
)

// Context returns a context that ends once the connection is over and
// Disconnect has returned. When the connection is lost while the consumer is
// busy, it ends [Limits.CloseTimeout] later; when [Hub.Close] runs out of time,
// at once.
func (c *Conn) Context() context.Context { return (*connContext)(c) }

// connContext makes a connection its own context, which costs an idle one
// nothing.
type connContext Conn

func (*connContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

func (*connContext) Value(any) any { return nil }

func (x *connContext) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done == nil {
		x.done = make(chan struct{})
		if x.ended {
			close(x.done)
		} else {
			x.unhook = context.AfterFunc(x.hub.cut, (*Conn)(x).end)
		}
	}
	return x.done
}

func (x *connContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return context.Canceled
	}
	return x.hub.cut.Err()
}

// end ends the connection's context.
func (c *Conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	if c.done != nil {
		close(c.done)
	}
	if c.unhook != nil {
		c.unhook()
	}
}
