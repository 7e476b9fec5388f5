//go:build unix

package crash

import "syscall"

// narrow has the kernel hold little that was not read. It must be known when the
// connection opens, or the peer goes by what it was told first.
func narrow(_, _ string, raw syscall.RawConn) (err error) {
	if e := raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10)
	}); e != nil {
		return e
	}
	return err
}
