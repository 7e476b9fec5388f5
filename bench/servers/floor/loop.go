package main

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	backlog       = 4096
	eventsPerWait = 256
	readBuffer    = 256 << 10
)

// loop is the listener and its connections.
type loop struct {
	epoll, listener int
	events          []unix.EpollEvent
	buf             []byte // read into, for all connections
	conns           map[int]*conn
	rooms           map[string]*room
	coalesce        bool
	waiting         []*room // have something to send
}

// conn is one client.
type conn struct {
	fd    int
	room  *room  // nil until the upgrade is answered
	place int    // in the room
	rest  []byte // the beginning of what is not complete yet
}

func newLoop(addr netip.AddrPort, coalesce bool) (*loop, error) {
	listener, err := listen(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %v: %w", addr, err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	l := &loop{
		epoll:    epoll,
		listener: listener,
		events:   make([]unix.EpollEvent, eventsPerWait),
		buf:      make([]byte, readBuffer),
		conns:    make(map[int]*conn),
		rooms:    make(map[string]*room),
		coalesce: coalesce,
	}
	return l, l.watch(listener)
}

func listen(addr netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	return fd, errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}),
		unix.Listen(fd, backlog),
	)
}

func (l *loop) watch(fd int) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// step waits for events and handles them.
func (l *loop) step() error {
	n, err := unix.EpollWait(l.epoll, l.events, -1)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("wait for events: %w", err)
	}
	for i := range max(n, 0) {
		fd := int(l.events[i].Fd)
		if fd == l.listener {
			l.accept()
		} else if c := l.conns[fd]; c != nil {
			l.read(c)
		}
	}
	l.flush()
	return nil
}

func (l *loop) accept() {
	fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return // it went away, or there is no room: epoll tells again
	}
	c := &conn{fd: fd}
	l.conns[fd] = c
	if errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), l.watch(fd)) != nil {
		l.drop(c)
	}
}

func (l *loop) read(c *conn) {
	kept := copy(l.buf, c.rest)
	n, errno := call(unix.SYS_READ, c.fd, l.buf[kept:])
	if errno == unix.EAGAIN {
		return
	}
	if errno != 0 || n == 0 {
		l.drop(c)
		return
	}
	l.consume(c, l.buf[:kept+n])
}

func (l *loop) drop(c *conn) {
	delete(l.conns, c.fd)
	if c.room != nil {
		c.room.leave(c)
	}
	_ = unix.Close(c.fd) // nothing more can be done for it
}

// send writes at once or drops the receiver.
func (l *loop) send(c *conn, frame []byte) {
	if n, errno := call(unix.SYS_WRITE, c.fd, frame); errno != 0 || n < len(frame) {
		l.drop(c)
	}
}

// call reads or writes without telling the Go scheduler: neither can block.
func call(number uintptr, fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}
