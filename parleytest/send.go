package parleytest

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/gobwas/ws"

	"github.com/parley-rt/parley"
)

// Send sends a text message.
func (c *Communicator) Send(text string) {
	c.t.Helper()
	c.send("Send", ws.NewTextFrame([]byte(text)))
}

// SendBinary sends a binary message. The data stays the caller's.
func (c *Communicator) SendBinary(data []byte) {
	c.t.Helper()
	c.send("SendBinary", ws.NewBinaryFrame(data))
}

// SendJSON sends v as JSON in a text message.
func (c *Communicator) SendJSON(v any) {
	c.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		c.t.Fatalf("parleytest: SendJSON: %v", err)
	}
	c.send("SendJSON", ws.NewTextFrame(data))
}

// Close does the closing handshake: it sends a close frame, and waits for the
// server's answer, which has the same code. [parley.CloseNoStatus] sends one
// without a code. The answer comes once the consumer is done with the messages
// before. What arrived meanwhile can still be received.
func (c *Communicator) Close(code parley.CloseCode) {
	c.t.Helper()
	var body []byte
	if code != parley.CloseNoStatus {
		body = ws.NewCloseFrameBody(ws.StatusCode(code), "")
	}
	c.send("Close", ws.NewCloseFrame(body))
	end := c.awaitEnd()
	if end == nil {
		c.t.Fatalf("parleytest: Close: the close frame was not answered within %v", c.opts.Timeout)
	} else if end.code != code || end.err != nil {
		c.t.Fatalf("parleytest: Close(%d): %v", code, end)
	}
}

// awaitEnd waits for the end of the connection, and keeps what comes before. It
// returns nil when there is none in time.
func (c *Communicator) awaitEnd() *event {
	timeout := time.NewTimer(c.opts.Timeout)
	defer timeout.Stop()
	for c.ended() == nil {
		ev, ok := c.take(timeout.C)
		if !ok {
			return nil
		}
		if ev.kind != pong {
			c.pending = append(c.pending, ev)
		}
	}
	return c.ended()
}

func (c *Communicator) writePing(number int) error {
	return c.write(ws.NewPingFrame(strconv.AppendInt(nil, int64(number), 10)))
}

func (c *Communicator) send(method string, f ws.Frame) {
	c.t.Helper()
	if end := c.ended(); end != nil {
		c.t.Fatalf("parleytest: %s: %v", method, end)
	}
	if err := c.write(f); err != nil {
		c.t.Fatalf("parleytest: %s: %v", method, err)
	}
}

// write writes a frame in one piece. It may be called by any goroutine.
func (c *Communicator) write(f ws.Frame) error {
	b, err := ws.CompileFrame(ws.MaskFrame(f))
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.opts.Timeout)); err != nil {
		return err
	}
	_, err = c.conn.Write(b)
	return err
}
