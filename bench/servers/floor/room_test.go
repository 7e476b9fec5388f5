package main

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCoalescing looks at what is written for two messages of one round of events, over a socket that keeps writes apart.
func TestCoalescing(t *testing.T) {
	t.Parallel()
	for coalesce, want := range map[bool][]string{
		false: {"\x81\x02hi", "\x81\x02ho"},
		true:  {"\x81\x02hi\x81\x02ho"},
	} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		l := &loop{rooms: make(map[string]*room), coalesce: coalesce}
		c := &conn{fd: pair[0]}
		l.enter(c, everyone)
		l.relay([]byte("hi"), c.room)
		l.relay([]byte("ho"), c.room)
		l.flush()
		if got := drain(pair[1]); !slices.Equal(got, want) {
			t.Errorf("coalesce %v: got %q, want %q", coalesce, got, want)
		}
		for _, fd := range pair {
			if err := unix.Close(fd); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestLeave(t *testing.T) {
	t.Parallel()
	l := &loop{rooms: make(map[string]*room)}
	conns := []*conn{{fd: 0}, {fd: 1}, {fd: 2}}
	for _, c := range conns {
		l.enter(c, everyone)
	}
	r := l.rooms[everyone]
	for _, c := range []*conn{conns[0], conns[2], conns[1]} {
		r.leave(c)
		for place, other := range r.conns {
			if other.place != place || other == c {
				t.Errorf("after %d left, %d is at %d", c.fd, other.fd, place)
			}
		}
	}
	if len(r.conns) != 0 {
		t.Errorf("%d are left", len(r.conns))
	}
}

// drain reads until nothing is left.
func drain(fd int) []string {
	var writes []string
	for buf := make([]byte, 100); ; {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return writes
		}
		writes = append(writes, string(buf[:n]))
	}
}
