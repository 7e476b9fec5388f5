// Package load is the load generator: many WebSocket clients on one thread, far cheaper than any server they talk to.
//
// One goroutine owns a Loop and all its Conns; nothing in this package may be called from another.
package load

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	eventsPerWait = 1024
	readBuffer    = 256 << 10
)

// Handler gets what happens on the connections of a Loop.
type Handler interface {
	// Message is called for every message; text is valid only until it returns.
	Message(c *Conn, text []byte)
	// Closed is called once for a connection that was ready and that the server, not this program, ended.
	Closed(c *Conn, cause error)
}

// Loop waits for its connections and reads and writes them.
type Loop struct {
	epoll   int
	events  []unix.EpollEvent
	buf     []byte
	epoch   time.Time
	done    <-chan struct{}
	cause   func() error // why done was closed
	release context.CancelFunc
	conns   []*Conn // by file descriptor
	dirty   []*Conn // have something to write
	scratch []byte
	handler Handler
	dialer  dialer

	// Spin makes the loop poll instead of sleeping. It then costs the server nothing to wake it, and its own waking delays no message.
	Spin bool

	// Idle is how long the loop had nothing to do, asleep or polling.
	Idle time.Duration

	// ReadAt is when the message now being handled was read, as a time since the Loop was made.
	ReadAt time.Duration
}

// New returns a Loop without connections, whose methods fail when ctx is done or limit has passed. Close must be called to free it.
func New(ctx context.Context, limit time.Duration) (*Loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	ctx, release := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not finished after %v", limit))
	return &Loop{
		epoll:   epoll,
		events:  make([]unix.EpollEvent, eventsPerWait),
		buf:     make([]byte, readBuffer),
		epoch:   time.Now(),
		done:    ctx.Done(),
		cause:   func() error { return context.Cause(ctx) },
		release: release,
		handler: ignore{},
	}, nil
}

type ignore struct{}

func (ignore) Message(*Conn, []byte) {}
func (ignore) Closed(*Conn, error)   {}

// Handle sets who is told from now on; nil means nobody.
func (l *Loop) Handle(h Handler) {
	if h == nil {
		h = ignore{}
	}
	l.handler = h
}

// Now is the time since the Loop was made.
func (l *Loop) Now() time.Duration { return time.Since(l.epoch) }

// Step writes what is queued, waits for events for at most wait, and handles them.
func (l *Loop) Step(wait time.Duration) error {
	select {
	case <-l.done:
		return l.cause()
	default:
	}
	l.flush()
	n, err := l.wait(wait)
	if err != nil {
		return fmt.Errorf("wait for events: %w", err)
	}
	for i := range n {
		l.dispatch(&l.events[i])
	}
	l.flush()
	return nil
}

// wait returns when there are events or when limit has passed, and counts the time without any as idle.
func (l *Loop) wait(limit time.Duration) (int, error) {
	n, err := pollEvents(l.epoll, l.events)
	if n > 0 || err != nil {
		return n, err
	}
	start := l.Now()
	for n == 0 && err == nil {
		left := limit - (l.Now() - start)
		if left <= 0 {
			break
		}
		if l.Spin {
			n, err = pollEvents(l.epoll, l.events)
		} else {
			n, err = waitEvents(l.epoll, l.events, left)
		}
	}
	l.Idle += l.Now() - start
	return n, err
}

// Run steps until d has passed.
func (l *Loop) Run(d time.Duration) error {
	_, err := l.RunUntil(func() bool { return false }, d)
	return err
}

// RunUntil steps until done or until limit has passed, and reports which it was.
func (l *Loop) RunUntil(done func() bool, limit time.Duration) (bool, error) {
	end := l.Now() + limit
	for !done() {
		left := end - l.Now()
		if left <= 0 {
			return false, nil
		}
		if err := l.Step(min(left, 100*time.Millisecond)); err != nil {
			return false, err
		}
	}
	return true, nil
}

// Close ends all connections and the Loop itself.
func (l *Loop) Close() error {
	l.release()
	for _, c := range l.conns {
		if c != nil {
			c.Close()
		}
	}
	if err := unix.Close(l.epoll); err != nil {
		return fmt.Errorf("close epoll: %w", err)
	}
	return nil
}

func (l *Loop) dispatch(event *unix.EpollEvent) {
	c := l.conns[event.Fd]
	if c == nil {
		return
	}
	if event.Events&unix.EPOLLOUT != 0 {
		c.write()
	}
	if event.Events&^unix.EPOLLOUT != 0 && c.state != closed {
		c.read()
	}
}

func (l *Loop) flush() {
	for _, c := range l.dirty {
		c.dirty = false
		c.write()
	}
	l.dirty = l.dirty[:0]
}

func (l *Loop) register(c *Conn) error {
	for len(l.conns) <= c.fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[c.fd] = c
	return l.control(unix.EPOLL_CTL_ADD, c, unix.EPOLLIN|unix.EPOLLOUT)
}

func (l *Loop) control(op int, c *Conn, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(c.fd)}
	if err := unix.EpollCtl(l.epoll, op, c.fd, &event); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}
