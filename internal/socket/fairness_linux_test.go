package socket

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// steps has a loop wait at the start of each round. The function that it returns
// lets it make one.
func steps(t *testing.T, l *Loop) (step func()) {
	t.Helper()
	var let chan struct{}
	step = func() {
		t.Helper()
		waits, next := make(chan struct{}), make(chan struct{})
		check(t, l.put(context.Background(), post{kind: postDo, do: func() { close(waits); <-next }}))
		if let != nil {
			close(let)
		}
		let = next
		await(t, waits, "the loop")
	}
	t.Cleanup(func() { close(let) })
	step()
	return step
}

// untilAcknowledged waits until the other end's kernel has all that a TCP client
// wrote.
func untilAcknowledged(t *testing.T, client peer) {
	t.Helper()
	raw, err := client.(syscall.Conn).SyscallConn()
	check(t, err)
	for start := time.Now(); ; {
		left := -1
		check(t, raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }))
		check(t, err)
		if left == 0 {
			return
		}
		if time.Since(start) > patience {
			t.Fatalf("%d bytes are not acknowledged", left)
		}
	}
}

// TestManyReadyAtOnce has more sockets be ready than one round takes: another one
// follows at once, and all are read, once.
func TestManyReadyAtOnce(t *testing.T) {
	t.Parallel()
	const total = 3*eventsPerRound + 7
	e := newTestEngine(t, testConfig())
	l := e.loops[0]
	got, reads := make(chan int, 2*total), 0 // reads is owned by the loop
	var clients []net.Conn
	for i := range total {
		server, client, err := socketPair()
		check(t, err)
		t.Cleanup(func() { _ = client.Close() })
		h, c := newRecorder(), &Conn{}
		h.receive = func([]Message) bool { got <- i; reads++; return true }
		check(t, errors.Join(e.Open(c, server, nil, h), c.Accept(), c.Start(nil)))
		clients = append(clients, client)
	}
	letGo := hold(t, l)
	check(t, l.put(t.Context(), post{kind: postDo, do: func() {
		for left := total - eventsPerRound; left > eventsPerRound; left -= eventsPerRound { // one round was made
			before := reads
			select {
			case <-l.wake:
			default:
			}
			l.poller.poll(l)
			if n := reads - before; n != eventsPerRound || len(l.wake) == 0 {
				t.Errorf("a round read %d connections, want %d; %d rounds follow, want one", n, eventsPerRound, len(l.wake))
			}
		}
	}}))
	for _, client := range clients {
		check(t, client.SetDeadline(time.Now().Add(patience)))
		send(t, client, clientFrame(ws.OpText, "a"))
	}
	letGo()
	seen := make(map[int]bool)
	for range total {
		seen[await(t, got, "a message")] = true
	}
	if len(seen) != total || len(got) > 0 {
		t.Errorf("%d of %d connections were read, and then %d", len(seen), total, len(got))
	}
}

// TestFloodWaitsItsTurn has one connection send much more than one read takes,
// in many frames, and never stop: each round reads it once, as it does the others.
func TestFloodWaitsItsTurn(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, testConfig())
	l := e.loops[0]
	var order []string // whose messages were read; owned by the loop, or by who holds it
	record := func(name string) *recorder {
		h := newRecorder()
		h.receive = func([]Message) bool {
			order = append(order, name)
			return true
		}
		return h
	}
	floodServer, flood := tcpPair(t)
	quietServer, quiet := tcpPair(t)
	check(t, floodServer.(peer).SetReadBuffer(4<<20))
	check(t, open(t, e, floodServer, record("flood")).Start(nil))
	check(t, open(t, e, quietServer, record("quiet")).Start(nil))
	step := steps(t, l)
	frame := clientFrame(ws.OpBinary, string(make([]byte, 1000)))
	much := bytes.Repeat(frame, 4*readBytes/len(frame))
	for round := range 8 {
		send(t, flood, much)
		untilAcknowledged(t, flood)
		send(t, quiet, clientFrame(ws.OpText, "a"))
		untilAcknowledged(t, quiet)
		step()
		if at := slices.Index(order, "quiet"); at < 0 || at > 1 {
			t.Errorf("round %d: %d reads of the flood came before the other connection", round, at)
		}
		order = order[:0]
	}
}
