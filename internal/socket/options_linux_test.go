package socket

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// socketOptions are what a program may have set that makes a call wait, of one kind of
// socket or another.
var socketOptions = map[string]func(fd int) error{
	"linger": func(fd int) error {
		return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 10})
	},
	"blocking": func(fd int) error { return unix.SetNonblock(fd, false) },
	"timeouts": func(fd int) error { // of calls that block
		const ten = 10
		err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: ten})
		if err == nil {
			err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: ten})
		}
		return err
	},
	"low-water mark": func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, 1<<20) },
	"busy poll": func(fd int) error {
		return ignorePermission(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUSY_POLL, 10_000_000))
	},
	"cork": func(fd int) error { return ignoreUnix(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_CORK, 1)) },
}

func ignorePermission(err error) error {
	if err == unix.EPERM {
		return nil
	}
	return err
}

func ignoreUnix(err error) error {
	if err == unix.EOPNOTSUPP {
		return nil
	}
	return err
}

// TestOptionsDoNotHoldUp has a connection with an option end while its peer reads nothing:
// neither its loop nor the end of the engine waits for that.
func TestOptionsDoNotHoldUp(t *testing.T) {
	t.Parallel()
	const most = 5 * time.Second
	for name, set := range socketOptions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onKinds(t, func(t *testing.T, k kind) {
				server, _ := k.pair(t)
				if _, wrapped := server.(struct{ net.Conn }); wrapped {
					t.Skip("nobody knows its socket")
				}
				raw, err := server.(syscall.Conn).SyscallConn()
				check(t, err)
				check(t, raw.Control(func(fd uintptr) { err = set(int(fd)) }))
				check(t, err)
				cfg := k.config()
				cfg.QueueBytes = 1 << 30
				e := NewEngine(cfg)
				c := open(t, e, server, newRecorder())
				check(t, c.Start(nil))
				for range 64 { // more than the kernel takes
					check(t, c.Write(t.Context(), Frame(true, make([]byte, 1<<20)), false))
				}
				onLoop(t, e.loops[0], func() {})
				onLoop(t, e.loops[0], func() {
					if c.out.Load() == nil {
						t.Error("the kernel took all of it")
					}
					began := time.Now()
					c.loop.finalize(c, codeAbnormal)
					if after := time.Since(began); after > most {
						t.Errorf("the loop waited for %v", after)
					}
				})
				began := time.Now()
				ended := make(chan struct{})
				go func() { defer close(ended); e.Close() }()
				await(t, ended, "Close")
				if after := time.Since(began); after > most {
					t.Errorf("the end of the engine took %v", after)
				}
			})
		})
	}
}
