package parleytest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/parley-rt/parley"
)

// event is something that arrived.
type event struct {
	kind eventKind
	data []byte // of a message

	ping int // the one that a pong answers

	// Of the end.
	code   parley.CloseCode
	reason string
	err    error // for one without a close frame
}

type eventKind uint8

const (
	text eventKind = iota
	binaryMessage
	pong
	ended // the last one
)

// maxShown is how much of a message a failure shows.
const maxShown = 300

// String says what happened, for a failure of the test.
func (ev event) String() string {
	switch {
	case ev.kind == text:
		return "received the text " + shown(ev.data)
	case ev.kind == binaryMessage:
		return "received binary data " + shown(ev.data)
	case ev.err != nil:
		return fmt.Sprintf("the connection was lost: %v", ev.err)
	}
	return fmt.Sprintf("the connection was closed with %v, reason %q", ev.code, ev.reason)
}

func shown(data []byte) string {
	if len(data) <= maxShown {
		return strconv.Quote(string(data))
	}
	return fmt.Sprintf("%q… (%d bytes)", data[:maxShown], len(data))
}

// read is the goroutine that reads the connection until it ends or the test
// does.
func (c *Communicator) read() {
	defer close(c.stopped)
	r := &wsutil.Reader{Source: c.r, State: ws.StateClientSide, CheckUTF8: true}
	r.OnIntermediate = c.control
	for {
		err := c.readMessage(r)
		if errors.Is(err, errClosed) {
			return
		}
		if err != nil {
			c.put(event{kind: ended, code: parley.CloseAbnormal, err: err})
			return
		}
	}
}

// put queues what arrived, unless the test is over.
func (c *Communicator) put(ev event) {
	select {
	case c.arrived <- ev:
	case <-c.stop:
	}
}

func (c *Communicator) readMessage(r *wsutil.Reader) error {
	header, err := r.NextFrame()
	if err != nil {
		return err
	}
	if header.OpCode.IsControl() {
		return c.control(header, r)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	ev := event{kind: text, data: data}
	if header.OpCode == ws.OpBinary {
		ev.kind = binaryMessage
	}
	c.put(ev)
	return nil
}

// errClosed ends reading: the end of the connection is queued already.
var errClosed = errors.New("closed")

// control handles a control frame, which may come between the fragments of a
// message.
func (c *Communicator) control(header ws.Header, r io.Reader) error {
	payload, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	switch header.OpCode {
	case ws.OpPing:
		if !c.opts.IgnorePings {
			_ = c.write(ws.NewPongFrame(payload)) // reading on tells why it failed
		}
	case ws.OpPong:
		n, _ := strconv.Atoi(string(payload)) // an unsolicited one is nobody's
		c.put(event{kind: pong, ping: n})
	case ws.OpClose:
		return c.closed(payload)
	}
	return nil
}

// closed takes the server's close frame, and answers it unless it is the answer.
func (c *Communicator) closed(payload []byte) error {
	code, reason, err := parseClose(payload)
	if err != nil {
		return err
	}
	_ = c.write(ws.NewCloseFrame(payload[:min(len(payload), 2)]))
	c.put(event{kind: ended, code: code, reason: reason})
	return errClosed
}

// parseClose checks the payload of a close frame (RFC 6455, section 5.5.1).
func parseClose(payload []byte) (code parley.CloseCode, reason string, err error) {
	switch {
	case len(payload) == 0:
		return parley.CloseNoStatus, "", nil
	case len(payload) == 1:
		return 0, "", errors.New("a close frame with half a code")
	case !utf8.Valid(payload[2:]):
		return 0, "", errors.New("a close frame whose reason is not UTF-8")
	}
	return parley.CloseCode(binary.BigEndian.Uint16(payload)), string(payload[2:]), nil
}
