package socket

import (
	"net"
	"sync"

	"github.com/gobwas/ws"
)

const (
	opPong = ws.OpPong

	// readBytes is the size of a read buffer. One is held during a read, not
	// while waiting for it, where the transport can tell.
	readBytes = 32 << 10
)

// transport moves one connection's bytes. It is where engines differ.
type transport interface {
	// start has the connection read, without waiting: c.arrived is called, first
	// with c.early, until it says to stop or the connection ends; then
	// c.readEnded.
	start(c *Conn)
	// tryWrite writes what can be written without waiting. Only the loop calls
	// it, and only while no outbox is writing.
	tryWrite(l *Loop, b []byte) (int, error)
	// closeWrite ends our side without waiting.
	closeWrite(e *Engine)
	// close ends the connection without waiting.
	close(e *Engine)
}

// readBuffer is what a read needs.
type readBuffer struct {
	inbound
	bytes [readBytes]byte
}

var readBuffers = sync.Pool{New: func() any { return new(readBuffer) }}

// streamBytes is the size of a stream's read buffer.
const streamBytes = 4 << 10

// streamBuffer is what a stream holds as long as it is read.
type streamBuffer struct {
	inbound
	bytes [streamBytes]byte
}

var streamBuffers = sync.Pool{New: func() any { return new(streamBuffer) }}

// stream is the transport of whatever is not a plain socket: TLS, a wrapped
// listener's connections, pipes. Its reader holds a buffer while it waits, and
// every write goes through an outbox.
type stream struct{ nc net.Conn }

func (s stream) start(c *Conn) { go func() { c.readEnded(s.receive(c)) }() }

func (s stream) receive(c *Conn) error {
	b := streamBuffers.Get().(*streamBuffer)
	defer streamBuffers.Put(b)
	if early := c.early; early != nil {
		c.early = nil
		if !c.arrived(early, &b.inbound) {
			return nil
		}
	}
	for {
		n, err := s.nc.Read(b.bytes[:])
		if n > 0 && !c.arrived(b.bytes[:n], &b.inbound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (stream) tryWrite(*Loop, []byte) (int, error) { return 0, nil }

// closeWrite runs aside, since for TLS it writes an alert.
func (s stream) closeWrite(e *Engine) {
	if nc, ok := s.nc.(interface{ CloseWrite() error }); ok {
		e.spawn(func() { _ = nc.CloseWrite() })
	}
}

// close runs aside, since closing TLS writes an alert.
func (s stream) close(e *Engine) { e.spawn(func() { _ = s.nc.Close() }) }
