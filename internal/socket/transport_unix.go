//go:build unix

package socket

import (
	"io"
	"net"
	"syscall"
)

// plain is the transport of a TCP or Unix socket. Its reader waits for the
// socket to be readable without holding a buffer, and the loop writes to the
// socket directly.
type plain struct {
	nc  net.Conn
	raw syscall.RawConn
}

func newTransport(nc net.Conn) transport {
	// Exact types: a wrapper that embeds one of these may change what reading
	// and writing mean.
	switch s := nc.(type) {
	case *net.TCPConn:
		return newPlain(nc, s)
	case *net.UnixConn:
		return newPlain(nc, s)
	}
	return stream{nc}
}

func newPlain(nc net.Conn, s syscall.Conn) transport {
	raw, err := s.SyscallConn()
	if err != nil { // only of a closed connection; reading it will tell
		return stream{nc}
	}
	return &plain{nc, raw}
}

func (p *plain) receive(c *Conn) error {
	var end error
	err := p.raw.Read(func(fd uintptr) bool {
		b := readBuffers.Get().(*readBuffer)
		defer readBuffers.Put(b)
		for {
			n, err := syscall.Read(int(fd), b.bytes[:])
			switch {
			case err == syscall.EAGAIN:
				return false
			case err == syscall.EINTR:
				continue
			case err != nil:
				end = err
				return true
			case n == 0:
				end = io.EOF
				return true
			case !c.arrived(b.bytes[:n], &b.inbound):
				return true
			}
		}
	})
	if end != nil {
		return end
	}
	return err
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
	if s, ok := p.nc.(interface{ CloseWrite() error }); ok {
		_ = s.CloseWrite()
	}
}

func (p *plain) close(*Engine) { _ = p.nc.Close() }
