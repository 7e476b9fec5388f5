package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/gobwas/ws"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/crash/ops"
)

// silence is how long a client waits for a message. It is far longer than a start
// of the server.
const silence = 30 * time.Second

// errSilent is of a connection that was open, and no message came for that long.
var errSilent = errors.New("the server said nothing")

// client is a connection to the server, used by one goroutine.
type client struct {
	conn  net.Conn
	r     *bufio.Reader
	w     *bufio.Writer
	ended func() bool // no longer closes the connection when the context ends
	buf   []byte
}

// dial connects to the server's usual consumer. The connection is closed when ctx
// ends.
func dial(ctx context.Context, addr string) (*client, error) {
	return dialBy(ctx, addr, "/", &net.Dialer{})
}

// dialBy connects to one of the server's consumers.
func dialBy(ctx context.Context, addr, path string, by *net.Dialer) (*client, error) {
	d := ws.Dialer{Timeout: silence, NetDial: by.DialContext}
	conn, r, _, err := d.Dial(ctx, "ws://"+addr+path)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = bufio.NewReader(conn)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return &client{conn: conn, r: r, w: bufio.NewWriter(conn), ended: stop}, nil
}

// close cuts the connection, as a client does that crashes.
func (c *client) close() {
	c.ended()
	_ = c.conn.Close()
}

// send writes requests.
func (c *client) send(requests ...ops.Request) error {
	if err := c.conn.SetDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	for _, r := range requests {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := ws.WriteFrame(c.w, ws.MaskFrameInPlace(ws.NewTextFrame(text))); err != nil {
			return err
		}
	}
	return c.w.Flush()
}

// receive waits for what the server says next.
func (c *client) receive() (ops.Event, error) {
	var e ops.Event
	text, err := c.message()
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	return e, err
}

// message returns the payload of the next message, until the next call.
func (c *client) message() ([]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(silence)); err != nil {
		return nil, err
	}
	for {
		code, err := c.frame()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, errSilent
		}
		if err != nil {
			return nil, err
		}
		switch code {
		case ws.OpText:
			return c.buf, nil
		case ws.OpPing:
			if err := ws.WriteFrame(c.conn, ws.MaskFrameInPlace(ws.NewPongFrame(c.buf))); err != nil {
				return nil, err
			}
		case ws.OpClose:
			code, reason := ws.ParseCloseFrameData(c.buf)
			return nil, fmt.Errorf("the server closed with %v, %q", parley.CloseCode(code), reason)
		}
	}
}

// frame reads a frame's payload into buf.
func (c *client) frame() (ws.OpCode, error) {
	h, err := ws.ReadHeader(c.r)
	if err != nil {
		return 0, err
	}
	if !h.Fin || h.Length > 1<<20 {
		return 0, fmt.Errorf("a frame that the server has no reason to send: %+v", h)
	}
	if int64(cap(c.buf)) < h.Length {
		c.buf = make([]byte, h.Length)
	}
	c.buf = c.buf[:h.Length]
	_, err = io.ReadFull(c.r, c.buf)
	return h.OpCode, err
}

// call sends a request and waits for its answer, on a connection that has no
// others under way.
func (c *client) call(r ops.Request) (*ops.Accepted, error) {
	if err := c.send(r); err != nil {
		return nil, err
	}
	for {
		switch e, err := c.receive(); {
		case err != nil:
			return nil, err
		case e.ID != r.ID && e.Error == nil:
		case e.Error != nil:
			return nil, e.Error
		default:
			return e.OK, nil
		}
	}
}
