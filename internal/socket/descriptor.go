package socket

import (
	"errors"
	"net"
	"syscall"
)

var errNoSocket = errors.New("socket: it does not give access to its socket")

// socketOf returns the socket that nc is, or that TLS, or whoever else has a method
// NetConn, makes nc of; nil where there is none to be found.
func socketOf(nc net.Conn) syscall.Conn {
	for {
		if s, ok := nc.(syscall.Conn); ok {
			return s
		}
		outer, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = outer.NetConn()
	}
}

// control calls f with the descriptor of the socket of nc. It does not wait.
func control(nc net.Conn, f func(fd int)) error {
	s := socketOf(nc)
	if s == nil {
		return errNoSocket
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}
