//go:build unix

package socket

import (
	"net"
	"syscall"
)

// awaitReadable waits until there is something to read of nc, or its end, if nc
// can tell; else it returns at once. It holds no buffer.
func awaitReadable(nc net.Conn) error {
	if !isSocket(nc) {
		return nil
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return err != syscall.EAGAIN
	})
}
