package parley_test

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/parley-rt/parley"
)

// TestIdleConnectionsAreSmall holds what an idle connection costs of the heap,
// which has none of its client's: that is a bare descriptor. On an event loop it
// costs no goroutine.
func TestIdleConnectionsAreSmall(t *testing.T) {
	n := 5000
	if testing.Short() || raceEnabled {
		n = 500
	}
	for _, c := range []struct {
		name       string
		connect    func(c *parley.Conn, i int64) error
		bytes      int
		goroutines int // for each connection
		engine     kind
	}{
		{"bare", func(*parley.Conn, int64) error { return nil }, 400, 0, engines[0]},
		{"named, in a group", nameAndGroup, 890, 0, engines[0]},
		{"bare", func(*parley.Conn, int64) error { return nil }, 1200, 1, engines[1]},
	} {
		t.Run(c.engine.String()+"/"+c.name, func(t *testing.T) {
			all := &idlers{connect: c.connect}
			s := newSite(t, "tcp", c.engine.hub(t, nil), func() parley.Consumer { return idler{all: all} })
			s.bare(t, 100) // so that all is there that does not depend on how many there are
			heap, goroutines := heapInUse(), parley.Goroutines()
			s.bare(t, n)
			until(t, "net/http is done with them", func() bool { return parley.Goroutines() <= goroutines+n*c.goroutines+20 })
			if raceEnabled { // which takes memory of its own
				return
			}
			each := 0
			defer func() { t.Logf("%d bytes of heap for each connection", each) }()
			until(t, fmt.Sprintf("a connection costs %d bytes at most", c.bytes), func() bool {
				each = (heapInUse() - heap) / n
				return each <= c.bytes
			})
		})
	}
}

func nameAndGroup(c *parley.Conn, i int64) error {
	return errors.Join(c.Identify("user "+strconv.FormatInt(i, 10), nil), c.Join(parley.Group("lobby"), nil))
}

// idler is a consumer of next to no size.
type idler struct {
	parley.Base
	all *idlers
}

// idlers are what all of them share.
type idlers struct {
	connected atomic.Int64
	connect   func(c *parley.Conn, i int64) error
}

func (i idler) Connect(c *parley.Conn) error { return i.all.connect(c, i.all.connected.Add(1)) }

// bare opens connections of which this process knows nothing but the descriptors.
func (s *site) bare(t *testing.T, n int) {
	t.Helper()
	to := s.http.Listener.Addr().(*net.TCPAddr)
	address := &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}
	descriptors := make([]int, 0, n)
	t.Cleanup(func() {
		for _, fd := range descriptors {
			_ = unix.Close(fd)
		}
	})
	request, answer := []byte(handshake), make([]byte, 1000)
	timeout := unix.NsecToTimeval(patience.Nanoseconds())
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		descriptors = append(descriptors, fd)
		got := 0
		err = errors.Join(
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
			uninterrupted(func() error { return unix.Connect(fd, address) }),
			uninterrupted(func() (err error) { _, err = unix.Write(fd, request); return err }),
			uninterrupted(func() (err error) { got, err = unix.Read(fd, answer); return err }),
		)
		if err != nil || got == 0 {
			t.Fatalf("read %d bytes, %v", got, err)
		}
	}
}

// uninterrupted makes a system call again as long as signals, of Go's runtime,
// interrupt it.
func uninterrupted(call func() error) error {
	for interrupted := false; ; interrupted = true {
		switch err := call(); {
		case err == unix.EINTR:
		case err == unix.EISCONN && interrupted: // by the call before
			return nil
		case err == unix.EALREADY && interrupted:
		default:
			return err
		}
	}
}
