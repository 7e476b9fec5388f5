package parley

import (
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/parley-rt/parley/internal/deflate"
	"github.com/parley-rt/parley/internal/socket"
)

// compressFrom is the shortest payload that is compressed. What is shorter loses
// some ten bytes, and costs nearly as much time as 1 KiB.
const compressFrom = 256

// compressing returns p for connections that agreed on permessage-deflate; nil
// where there is no codec.
func (p *proto) compressing(codec *deflate.Codec) *proto {
	if codec == nil {
		return nil
	}
	return &proto{dialect: p.dialect, compress: codec.Compress}
}

// pack makes the frame of an encoded message.
func (p *proto) pack(m Message) []byte {
	if p.compress != nil && len(m.Data) >= compressFrom {
		return p.packCompressed(m)
	}
	return socket.Frame(m.Binary, m.Data)
}

// appendFrame appends what pack returns.
func (p *proto) appendFrame(dst []byte, m Message) []byte {
	if p.compress != nil && len(m.Data) >= compressFrom {
		return append(dst, p.packCompressed(m)...)
	}
	return socket.AppendFrame(dst, m.Binary, m.Data)
}

// packCompressed leaves a message as it is where compressing does not shrink it.
func (p *proto) packCompressed(m Message) (frame []byte) {
	if !p.compress(m.Data, func(compressed []byte) { frame = socket.CompressedFrame(m.Binary, compressed) }) {
		frame = socket.Frame(m.Binary, m.Data)
	}
	return frame
}

// negotiate agrees on permessage-deflate, if that is on and the client offers
// it, and returns the answer's Sec-WebSocket-Extensions.
func (h *handler) negotiate(c *Conn, r *http.Request) (extensions string) {
	if h.compressed == nil {
		return ""
	}
	extensions, ok := deflate.Negotiate(r.Header.Values("Sec-WebSocket-Extensions"))
	if ok {
		c.sock.Deflate = true
	}
	return extensions
}

// proto returns what the connection has in common with others.
func (c *Conn) proto() *proto {
	if c.sock.Deflate {
		return c.handler.compressed
	}
	return c.handler.plain
}

// receive hands a message to the consumer, once it is inflated. One that cannot
// be fails the connection.
func (c *Conn) receive(ev *event) error {
	m := Message{Binary: ev.binary, Data: ev.data}
	if ev.compressed {
		if code, reason := c.inflate(&m); code != 0 {
			c.shut(uint16(code), reason)
			return nil
		}
		budget, n := c.handler.hub.budget, len(m.Data)
		if !budget.Take(n) {
			c.shut(uint16(CloseTryAgainLater), errNoRoom.Error())
			return nil
		}
		defer budget.Give(n)
	}
	return c.consumer.Receive(c, m)
}

// inflate inflates a message, within the same bound as one that came as it is, or
// returns what the connection is closed with.
func (c *Conn) inflate(m *Message) (code CloseCode, reason string) {
	data, err := c.handler.hub.codec.Inflate(m.Data, c.handler.hub.opts.Limits.MessageBytes)
	switch {
	case errors.Is(err, deflate.ErrTooLarge):
		return CloseTooLarge, "message too big"
	case err != nil:
		return CloseInvalidData, "compressed data is corrupt"
	case !m.Binary && !utf8.Valid(data):
		return CloseInvalidData, "text is not valid UTF-8"
	}
	m.Data = data
	return 0, ""
}

// encodings is what became of one message, so that the plain and the compressed
// connections of one Handler share it.
type encodings []encoding

type encoding struct {
	of      *dialect
	message Message
	ok      bool
}

// encode encodes m for a dialect, unless that was done before.
func (done *encodings) encode(hub *Hub, d *dialect, m *Message) (encoded Message, ok bool) {
	if d.encoder == nil {
		return *m, true
	}
	for _, e := range *done {
		if e.of == d {
			return e.message, e.ok
		}
	}
	*done = append(*done, encoding{of: d}) // it stays so if Encode ends the goroutine
	encoded, ok = d.encodeFor(hub, m)
	(*done)[len(*done)-1] = encoding{d, encoded, ok}
	return encoded, ok
}
