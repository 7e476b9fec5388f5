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

// life is what a connection needs once somebody waits for its context's end.
type life struct {
	done   chan struct{}
	after  map[*func()]struct{} // functions to call
	unhook func() bool          // of the hub's cut
}

func (*connContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

func (*connContext) Value(any) any { return nil }

func (x *connContext) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.watch().done
}

// AfterFunc is what package context asks for, so that a context that is derived
// from this one needs no goroutine to wait for its end.
func (x *connContext) AfterFunc(f func()) (stop func() bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	l, key := x.watch(), &f
	if x.isOver() {
		go f()
		return func() bool { return false }
	}
	if l.after == nil {
		l.after = make(map[*func()]struct{})
	}
	l.after[key] = struct{}{}
	return func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		_, waits := l.after[key]
		delete(l.after, key)
		return waits
	}
}

// watch returns what is to be told of the end. Called with mu held.
func (x *connContext) watch() *life {
	if x.life != nil {
		return x.life
	}
	over := x.isOver()
	x.life = &life{done: make(chan struct{})}
	if over {
		close(x.life.done)
	} else {
		x.life.unhook = context.AfterFunc(x.handler.hub.cut, (*Conn)(x).end)
	}
	return x.life
}

func (x *connContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.isOver() {
		return context.Canceled
	}
	return nil
}

// isOver reports whether the context ended, which it does with the hub's cut at
// the latest. Called with mu held.
func (x *connContext) isOver() bool {
	if x.handler.hub.cut.Err() != nil {
		(*Conn)(x).endLocked()
	}
	return x.ended
}

// end ends the connection's context.
func (c *Conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked()
}

// endLocked is end with mu held.
func (c *Conn) endLocked() {
	if c.ended {
		return
	}
	c.ended = true
	if c.life == nil {
		return
	}
	close(c.life.done)
	c.life.unhook()
	for f := range c.life.after {
		go (*f)()
	}
	clear(c.life.after)
}
