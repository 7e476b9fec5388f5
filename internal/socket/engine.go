package socket

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

var background = context.Background()

// Engine runs the connections of one hub on its loops. Its methods are safe
// for concurrent use.
type Engine struct {
	cfg   Config
	loops []*Loop
	next  atomic.Uint32
	stats Stats

	wg sync.WaitGroup // loops, their pollers, streams that are read, writers
}

// spawn runs f on a goroutine that Close waits for. Only for the loops and those
// whom they wait for.
func (e *Engine) spawn(f func()) { e.wg.Go(f) }

// Stats counts what happened since the engine started.
type Stats struct {
	Dropped    atomic.Int64 // frames and values dropped at receivers that were too slow
	SlowClosed atomic.Int64 // connections closed because they were too slow
	DeadClosed atomic.Int64 // connections ended by the heartbeat
}

// NewEngine starts the loops. Close ends them.
func NewEngine(cfg Config) *Engine {
	e := &Engine{cfg: cfg, loops: make([]*Loop, cfg.Loops)}
	for i := range e.loops {
		e.loops[i] = newLoop(e)
	}
	for _, l := range e.loops {
		e.spawn(l.run)
	}
	return e
}

// Stats returns the engine's counters.
func (e *Engine) Stats() *Stats { return &e.stats }

// Open makes c the WebSocket connection whose handshake was done on nc, all but
// for the response, and which the engine owns from now on, also where there is an
// error. Nothing is written before c.Accept, so that what c joins until then is
// in force when the peer sees the response, and nothing is read before c.Start.
func (e *Engine) Open(c *Conn, nc net.Conn, response []byte, h Handler) error {
	c.loop = e.loops[int(e.next.Add(1))%len(e.loops)]
	c.handler = h
	var err error
	if c.io, err = newTransport(e.cfg, nc); err != nil {
		return err
	}
	c.seen.Store(true) // no ping was sent that could be missed
	held := &outbox{held: true}
	held.add(response, false)
	held.exempt(len(response)) // it takes nobody's room
	c.out.Store(held)
	if err = c.loop.put(background, post{kind: postOpen, conn: c}); err != nil {
		c.io.drop()
	}
	return err
}

// Post is what Publish hands to the members of a topic: a frame, or a value for
// the handlers of those that joined for values.
type Post struct {
	Frame  []byte
	Value  any
	Size   int      // bytes that Value keeps alive
	Except ID       // the one member left out; zero for none
	More   bool     // more of the same batch follows at once, or Flush
	At     Position // for PublishKept: its place in the log
	Prev   uint64   // and the Seq of the message before it
}

// Publish hands p to the loops that have members of t. Where a mailbox is full
// it waits until ctx ends.
func (e *Engine) Publish(ctx context.Context, t *Topic, p Post) error {
	for at := t.all(); at != nil; at = at.next {
		if at.count.Load() == 0 {
			continue
		}
		err := at.loop.put(ctx, post{
			kind: postPublish, part: at, data: p.Frame, value: p.Value, size: p.Size, except: p.Except, more: p.More,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Flush ends a batch of posts made with More.
func (e *Engine) Flush() {
	for _, l := range e.loops {
		l.release()
	}
}

// Visit calls f with the handler of each member of t, one at a time. It returns
// when all were visited or ctx ends.
func (e *Engine) Visit(ctx context.Context, t *Topic, f func(Handler)) error {
	for p := t.all(); p != nil; p = p.next {
		if p.count.Load() == 0 {
			continue
		}
		if err := p.visit(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (p *part) visit(ctx context.Context, f func(Handler)) error {
	found := make(chan []*Membership, 1)
	list := func() { found <- slices.Clone(p.members) } // all that the loop has time for
	if err := p.loop.put(ctx, post{kind: postDo, do: list}); err != nil {
		return err
	}
	select {
	case members := <-found:
		for _, m := range members {
			f(m.conn.handler)
		}
		return nil
	case <-p.loop.stopped:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// CloseAll starts the closing handshake on every connection. A loop whose mailbox is
// full is waited for until ctx ends; it holds up no other loop.
func (e *Engine) CloseAll(ctx context.Context, code uint16, reason string) error {
	var told sync.WaitGroup
	errs := make([]error, len(e.loops))
	for i, l := range e.loops {
		told.Go(func() {
			errs[i] = l.put(ctx, post{kind: postDo, do: func() { l.closeAll(code, reason) }})
		})
	}
	told.Wait()
	return errors.Join(errs...)
}

// Close ends what is left of the connections without a handshake, and returns
// when the engine's goroutines have ended. It is called once.
func (e *Engine) Close() {
	for _, l := range e.loops {
		close(l.stop)
	}
	for _, l := range e.loops {
		<-l.stopped
	}
	e.wg.Wait()
}
