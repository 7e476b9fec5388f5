//go:build unix

package socket

import "golang.org/x/sys/unix"

// A program may set options of a socket before the engine has it. Those that would make a
// call of ours wait are undone: the others concern its own connection alone.

// endAtOnce has close not wait for bytes that the peer did not acknowledge, which is what
// SO_LINGER asks for. The kernel sends them all the same. One that asks for a reset stays.
func endAtOnce(fd int) {
	if linger, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER); err == nil && linger.Onoff != 0 && linger.Linger > 0 {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{})
	}
}

// neverBlock undoes what (*net.TCPConn).File and Fd do together: a read or write that
// blocks has neither a deadline nor an end.
func neverBlock(fd int) { _ = unix.SetNonblock(fd, true) }
