//go:build unix

package socket

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
)

// plain is the transport of a TCP or Unix socket. The loop writes to the socket
// directly. Reading takes turns: a goroutine waits for the socket to be
// readable, with no buffer and the smallest stack there is, since all it does
// besides is one read; a worker, whose stack is larger and shared by all, takes
// what was read, and starts the next wait.
type plain struct {
	conn *Conn
	raw  syscall.RawConn
	try  func(fd uintptr) bool // p.read

	// Owned by whoever's turn it is to read.
	b   *readBuffer // what was read, n bytes of it
	n   int
	err error
}

func newTransport(c *Conn) transport {
	// Exact types: a wrapper that embeds one of these may change what reading
	// and writing mean.
	switch s := c.nc.(type) {
	case *net.TCPConn:
		return newPlain(c, s)
	case *net.UnixConn:
		return newPlain(c, s)
	}
	return stream{c.nc}
}

func newPlain(c *Conn, s syscall.Conn) transport {
	raw, err := s.SyscallConn()
	if err != nil { // only of a closed connection; reading it will tell
		return stream{c.nc}
	}
	p := &plain{conn: c, raw: raw}
	p.try = p.read
	return p
}

func (p *plain) start(c *Conn) {
	if c.early == nil {
		go p.wait()
	} else {
		p.handOver()
	}
}

// wait is the goroutine of a connection with nothing to read.
func (p *plain) wait() {
	err := p.raw.Read(p.try)
	if err == nil {
		err = p.err
	}
	if err != nil {
		p.conn.readEnded(err)
		return
	}
	p.handOver()
}

// read tries one read. False: there is nothing yet.
func (p *plain) read(fd uintptr) bool {
	b := readBuffers.Get().(*readBuffer)
	n, err := syscall.Read(int(fd), b.bytes[:])
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), b.bytes[:])
	}
	if n > 0 {
		p.b, p.n = b, n
		return true
	}
	readBuffers.Put(b)
	if err == syscall.EAGAIN {
		return false
	}
	if p.err = err; err == nil {
		p.err = io.EOF
	}
	return true
}

// maxIdleWorkers bounds the workers that wait for work; beyond, they end.
const maxIdleWorkers = 64

// workers take turns of all connections. Idle ones wait for work until stop.
type workers struct {
	work chan *plain
	idle atomic.Int32
	done chan struct{}
}

func (w *workers) init() { w.work, w.done = make(chan *plain), make(chan struct{}) }

func (w *workers) stop() { close(w.done) }

// handOver gives the turn to a worker.
func (p *plain) handOver() {
	e := p.conn.loop.engine
	select {
	case e.workers.work <- p:
	default:
		e.wg.Add(1) // the connection is counted until its turn ends, so Close cannot have finished
		go e.worker(p)
	}
}

// worker takes the turns of one connection after the other.
func (e *Engine) worker(p *plain) {
	defer e.wg.Done()
	for {
		p.turn()
		if e.workers.idle.Add(1) > maxIdleWorkers {
			e.workers.idle.Add(-1)
			return
		}
		select {
		case p = <-e.workers.work:
			e.workers.idle.Add(-1)
		case <-e.workers.done:
			return
		}
	}
}

// turn takes what was read, and all that can be read at once, and passes the
// turn on.
func (p *plain) turn() {
	for goOn := true; goOn; goOn = p.again() {
		if !p.take() {
			p.conn.readEnded(nil)
			return
		}
	}
	go p.wait()
}

// take reports what was read.
func (p *plain) take() (goOn bool) {
	c, b, n := p.conn, p.b, p.n
	if p.b = nil; b != nil {
		goOn = c.arrived(b.bytes[:n], &b.inbound)
	} else {
		b = readBuffers.Get().(*readBuffer)
		early := c.early
		c.early = nil
		goOn = c.arrived(early, &b.inbound)
	}
	readBuffers.Put(b)
	return goOn
}

// again tries another read where the last one filled its buffer. An error is
// left for the next wait to find.
func (p *plain) again() bool {
	if p.n < readBytes {
		return false
	}
	p.n = 0
	err := p.raw.Read(func(fd uintptr) bool {
		p.read(fd)
		return true
	})
	return err == nil && p.b != nil
}

// attempt is one direct write. A loop has one, so that writing allocates
// nothing.
type attempt struct {
	b   []byte
	n   int
	err error
	run func(fd uintptr) bool
}

func (a *attempt) init() { a.run = a.write }

func (a *attempt) write(fd uintptr) bool {
	for {
		a.n, a.err = syscall.Write(int(fd), a.b)
		switch a.err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			a.n, a.err = 0, nil
		}
		return true
	}
}

func (p *plain) tryWrite(l *Loop, b []byte) (int, error) {
	a := &l.attempt
	a.b, a.n, a.err = b, 0, nil
	err := p.raw.Write(a.run)
	a.b = nil
	if err != nil {
		return 0, err
	}
	return max(a.n, 0), a.err
}

// closeWrite is best effort: the close timeout ends the connection anyway.
func (p *plain) closeWrite(*Engine) {
	if s, ok := p.conn.nc.(interface{ CloseWrite() error }); ok {
		_ = s.CloseWrite()
	}
}

func (p *plain) close(*Engine) { _ = p.conn.nc.Close() }
