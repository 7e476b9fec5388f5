package parleytest

import (
	"encoding/json"
	"time"

	"github.com/parley-rt/parley"
)

// Receive returns the next message, which is expected to be text.
func (c *Communicator) Receive() string {
	c.t.Helper()
	return string(c.message("Receive", text))
}

// ReceiveBinary returns the next message, which is expected to be binary. The
// data is the caller's.
func (c *Communicator) ReceiveBinary() []byte {
	c.t.Helper()
	return c.message("ReceiveBinary", binaryMessage)
}

// ReceiveJSON decodes the next message, which is expected to be text that holds
// JSON for v, a pointer.
func (c *Communicator) ReceiveJSON(v any) {
	c.t.Helper()
	data := c.message("ReceiveJSON", text)
	if err := json.Unmarshal(data, v); err != nil {
		c.t.Fatalf("parleytest: ReceiveJSON: %v in %s", err, shown(data))
	}
}

// ReceiveNothing fails the test if a message is there, or arrives until a ping
// is answered, or the connection has ended. It does not wait longer: what the
// server queued for this connection before, by a call of Hub.Send that returned
// say, is seen; what a consumer is yet to send is not. Wait for that by
// something which the consumer sends afterwards, by synctest.Wait, or by
// [Communicator.ReceiveNothingFor].
func (c *Communicator) ReceiveNothing() {
	c.t.Helper()
	c.roundTrip()
	if len(c.pending) > 0 {
		c.t.Fatalf("parleytest: ReceiveNothing: %v", c.pending[0])
	}
}

// ReceiveNothingFor fails the test if a message is there, or arrives within d,
// or the connection has ended then.
func (c *Communicator) ReceiveNothingFor(d time.Duration) {
	c.t.Helper()
	if ev, ok := c.next(d); ok {
		c.t.Fatalf("parleytest: ReceiveNothingFor(%v): %v", d, ev)
	}
}

// CloseCode waits for the end of the connection, and returns the code of the
// server's close frame: [parley.CloseNoStatus] if it had none,
// [parley.CloseAbnormal] if the connection was lost without one. A message that
// was not received fails the test.
func (c *Communicator) CloseCode() parley.CloseCode {
	c.t.Helper()
	return c.end("CloseCode").code
}

// CloseReason is CloseCode for the reason of the server's close frame.
func (c *Communicator) CloseReason() string {
	c.t.Helper()
	return c.end("CloseReason").reason
}

func (c *Communicator) end(method string) event {
	c.t.Helper()
	ev, ok := c.next(c.opts.Timeout)
	if !ok {
		c.t.Fatalf("parleytest: %s: the connection is still open after %v", method, c.opts.Timeout)
	}
	if ev.kind != ended {
		c.t.Fatalf("parleytest: %s: %v", method, ev)
	}
	return ev
}

// message returns the data of the next message of a kind.
func (c *Communicator) message(method string, want eventKind) []byte {
	c.t.Helper()
	ev, ok := c.next(c.opts.Timeout)
	if !ok {
		c.t.Fatalf("parleytest: %s: nothing was received within %v", method, c.opts.Timeout)
	}
	if ev.kind != want {
		c.t.Fatalf("parleytest: %s: %v", method, ev)
	}
	return ev.data
}

// next returns the next message, or the end, which it returns again and again.
func (c *Communicator) next(wait time.Duration) (event, bool) {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for len(c.pending) == 0 {
		ev, ok := c.take(timeout.C)
		if !ok {
			return event{}, false
		}
		if ev.kind != pong {
			c.pending = append(c.pending, ev)
		}
	}
	ev := c.pending[0]
	if ev.kind != ended {
		c.pending = c.pending[1:]
	}
	return ev, true
}
