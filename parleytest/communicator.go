// Package parleytest tests consumers: a [Communicator] connects to a handler as
// a WebSocket client does, sends, receives, and fails the test telling what it
// saw where that is not what the test expects.
//
//	c := parleytest.Dial(t, mux, "/ws/lobby/", nil)
//	c.Send("hello")
//	if got := c.Receive(); got != "hello" {
//		t.Errorf("got %q", got)
//	}
//	c.ReceiveNothing()
//
// Connections are real sockets on loopback, or in memory with
// [Options].InMemory, for bubbles of testing/synctest. What Dial opens is closed
// when the test ends.
package parleytest

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Communicator is the client's end of one connection. It belongs to the
// goroutine of its test, which it ends by t.Fatalf when something else happens
// than what a method waits for. The server's pings are answered at all times.
//
// Whatever waits gives up after [Options].Timeout.
type Communicator struct {
	t           testing.TB
	opts        Options
	subprotocol string
	header      http.Header

	pending []event // taken from arrived, not yet received
	pings   int     // sent, each with its number

	conn    net.Conn
	writing sync.Mutex    // a frame is written: by the test or by the reader
	r       *bufio.Reader // owned by the reader
	arrived chan event
	stop    chan struct{} // closed when the test ends
	stopped chan struct{} // closed when the reader has ended
}

// newCommunicator starts reading, and ends it with the test.
func newCommunicator(t testing.TB, opts Options, conn net.Conn, r *bufio.Reader) *Communicator {
	c := &Communicator{
		t: t, opts: opts, conn: conn, r: r,
		arrived: make(chan event, opts.Unread),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	go c.read()
	t.Cleanup(func() {
		close(c.stop)
		c.Cut()
		<-c.stopped
	})
	return c
}

// Subprotocol returns the subprotocol that the server chose, "" for none.
func (c *Communicator) Subprotocol() string { return c.subprotocol }

// Header returns the headers of the server's answer to the handshake, without
// those of the handshake itself.
func (c *Communicator) Header() http.Header { return c.header }

// Cut ends the connection as a network does that fails: without a close frame.
func (c *Communicator) Cut() { _ = c.conn.Close() } // closed already is as good

// Ping waits for the answer to a ping. What the server had queued for this
// connection before it read the ping has arrived then, and can be received; so
// has what was joined in Connect. A consumer that is still at work on an earlier
// message is not waited for.
func (c *Communicator) Ping() {
	c.t.Helper()
	if end := c.roundTrip(); end != nil {
		c.t.Fatalf("parleytest: Ping: %v", end)
	}
}

// roundTrip waits for the answer to a ping, and keeps what comes before. It
// returns the end of the connection, if it ends.
func (c *Communicator) roundTrip() *event {
	c.t.Helper()
	if end := c.ended(); end != nil {
		return end
	}
	c.pings++
	_ = c.writePing(c.pings) // the reader tells why it failed
	timeout := time.NewTimer(c.opts.Timeout)
	defer timeout.Stop()
	for {
		ev, ok := c.take(timeout.C)
		switch {
		case !ok:
			c.t.Fatalf("parleytest: no answer to a ping within %v", c.opts.Timeout)
			return nil
		case ev.kind == pong && ev.ping == c.pings:
			return nil
		case ev.kind != pong:
			c.pending = append(c.pending, ev)
		}
		if ev.kind == ended {
			return &ev
		}
	}
}

// take waits for what arrives next.
func (c *Communicator) take(timeout <-chan time.Time) (event, bool) {
	select {
	case ev := <-c.arrived:
		return ev, true
	case <-timeout:
		return event{}, false
	}
}

// ended returns the end of the connection, if it was seen. It stays pending.
func (c *Communicator) ended() *event {
	if n := len(c.pending); n > 0 && c.pending[n-1].kind == ended {
		return &c.pending[n-1]
	}
	return nil
}
