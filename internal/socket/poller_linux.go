package socket

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// eventsPerRound bounds how many sockets a round reads of those that became ready, and of
// those that have more than one read took.
const eventsPerRound = 256

// poller tells a loop which of its sockets are ready. A loop that has no polled
// connection yet has none.
type poller struct {
	file    *os.File // of the epoll instance; nil until there is a socket
	fd      int
	events  []unix.EpollEvent
	full    bool    // more may be ready than the last round read
	again   []*Conn // have more to be read than one read took; the first are read first
	spare   []*Conn
	buf     []byte       // what is read
	out     []byte       // what is drained
	iovecs  []unix.Iovec // a write of several pieces
	message unix.Msghdr  // the same
	one     [1][]byte    // a write of one
}

// add has the socket of c reported, if it is a polled one.
func (p *poller) add(l *Loop, c *Conn) error {
	s, ok := c.io.(*polled)
	if !ok {
		return nil
	}
	if p.file == nil {
		if err := p.start(l); err != nil {
			return err
		}
	}
	event := unix.EpollEvent{Events: readyEvents, Fd: int32(c.place), Pad: int32(l.wheel.generation(c))}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, int(s.fd), &event))
}

// start makes the epoll instance. Go's own poller watches it, as it watches any
// other file, so that a loop with nothing to do is a goroutine that waits, and
// no thread.
func (p *poller) start(l *Loop) error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	// Else os would not have it watched; it does not fail of an open file.
	_ = unix.SetNonblock(fd, true)
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails where Go's poller did not take it
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	p.file, p.fd = file, fd
	p.events = make([]unix.EpollEvent, eventsPerRound)
	p.buf, p.out = make([]byte, readBytes), make([]byte, readBytes)
	l.engine.spawn(func() {
		// Each call but the first says that a socket became ready; it ends when
		// the file is closed.
		_ = raw.Read(func(uintptr) bool {
			l.notify()
			return false
		})
	})
	return nil
}

// goOn reads sockets of which one read did not take all.
func (p *poller) goOn(l *Loop) {
	all := p.again
	if len(all) == 0 {
		return
	}
	n := min(len(all), eventsPerRound)
	p.again = append(p.spare[:0], all[n:]...)
	for _, c := range all[:n] {
		s := c.io.(*polled)
		s.again = false
		s.read(l, c)
	}
	clear(all)
	p.spare = all
}

// poll reads the sockets that became ready.
func (p *poller) poll(l *Loop) {
	if p.file == nil {
		return
	}
	n := p.wait()
	for i := range n {
		e := &p.events[i]
		if c := l.wheel.find(place(e.Fd), uint32(e.Pad)); c != nil {
			c.io.(*polled).ready(l, c, e.Events)
		}
	}
	p.full = n == len(p.events)
	if p.full || len(p.again) > 0 {
		l.notify()
	}
}

// wait returns the number of events there are; it does not wait for any.
func (p *poller) wait() int {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
			uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
		if errno == 0 {
			return int(n)
		}
		if errno != unix.EINTR {
			panic(os.NewSyscallError("epoll_pwait", errno)) // none but a wrong argument
		}
	}
}

func (p *poller) close() {
	if p.file != nil {
		_ = p.file.Close()
	}
}

// gather makes a message of several pieces, and returns its size.
func (p *poller) gather(pieces [][]byte) (size int) {
	p.iovecs = p.iovecs[:0]
	for _, b := range pieces {
		v := unix.Iovec{Base: unsafe.SliceData(b)}
		v.SetLen(len(b))
		p.iovecs = append(p.iovecs, v)
		size += len(b)
	}
	p.message.Iov = &p.iovecs[0]
	p.message.SetIovlen(len(p.iovecs))
	return size
}
