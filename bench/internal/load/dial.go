package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/wire"
)

const (
	// halfOpen bounds how many connections are being opened at once, well below any server's backlog.
	halfOpen = 64
	// perSource is how many connections share a source address, so that no address runs out of ports.
	perSource = 8000
)

// dialer counts the connections that are being opened.
type dialer struct {
	dialled int
	opening int
	cause   error
}

func (d *dialer) admitted() { d.opening-- }

func (d *dialer) failed(cause error) {
	d.opening--
	d.cause = errors.Join(d.cause, cause)
}

// Dialled is how many connections were opened, and so the Index of the next one.
func (l *Loop) Dialled() int { return l.dialer.dialled }

// Target is where and how connections are opened.
type Target struct {
	Addr    netip.AddrPort
	Dialect dialect.Dialect
}

// Dial opens n connections, the i-th as user(i), and returns when all of them are ready.
func (l *Loop) Dial(to Target, n int, user func(i int) string, limit time.Duration) ([]*Conn, error) {
	l.dialer.cause = nil
	conns := make([]*Conn, 0, n)
	step := func() bool {
		for len(conns) < n && l.dialer.opening < halfOpen && l.dialer.cause == nil {
			c, err := l.open(to, user(len(conns)))
			if err != nil {
				l.dialer.cause = err
				break
			}
			conns = append(conns, c)
		}
		return l.dialer.cause != nil || (len(conns) == n && l.dialer.opening == 0)
	}
	done, err := l.RunUntil(step, limit)
	switch {
	case err != nil:
		return nil, err
	case l.dialer.cause != nil:
		return nil, fmt.Errorf("open connection %d of %d: %w", len(conns), n, l.dialer.cause)
	case !done:
		return nil, fmt.Errorf("%d of %d connections open after %v", len(conns)-l.dialer.opening, n, limit)
	}
	return conns, nil
}

// open begins one connection and queues its upgrade request.
func (l *Loop) open(to Target, user string) (*Conn, error) {
	fd, err := l.connect(to.Addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{Index: l.dialer.dialled, loop: l, dialect: to.Dialect, fd: fd, blocked: true}
	c.out = wire.AppendRequest(nil, to.Addr.String(), to.Dialect.Path(user))
	if err := l.register(c); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	l.dialer.dialled++
	l.dialer.opening++
	return c, nil
}

func (l *Loop) connect(to netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	if err := l.prepare(fd, to); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

func (l *Loop) prepare(fd int, to netip.AddrPort) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("set TCP_NODELAY: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return fmt.Errorf("set IP_BIND_ADDRESS_NO_PORT: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: l.source()}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

func (l *Loop) source() [4]byte {
	return [4]byte{127, 0, 0, byte(1 + l.dialer.dialled/perSource%250)}
}
