//go:build unix

package crash

import (
	"errors"
	"syscall"
)

// narrow has the kernel hold little that was not read or not sent, of a connection
// or of those that a socket accepts. It must be known when a connection opens, or
// the peer goes by what it was told first.
func narrow(_, _ string, raw syscall.RawConn) error {
	var err error
	e := raw.Control(func(fd uintptr) {
		for _, buffer := range []int{syscall.SO_RCVBUF, syscall.SO_SNDBUF} {
			err = errors.Join(err, syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, buffer, 8<<10))
		}
	})
	return errors.Join(e, err)
}
