package parley_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// wire is a client that sees every byte.
type wire struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader

	deflates bool   // permessage-deflate was agreed on
	asked    string // the last ping that expectMessage took no notice of
}

// connect returns a wire before its handshake.
func (s *site) connect(t testing.TB) *wire {
	t.Helper()
	nc, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	extend(t, nc)
	return &wire{t: t, nc: nc, r: bufio.NewReader(nc), deflates: s.deflates}
}

// open returns a wire after its handshake.
func (s *site) open(t testing.TB) *wire {
	t.Helper()
	w := s.connect(t)
	w.send(s.handshake())
	w.accepted()
	return w
}

// handshake is the request of RFC 6455, section 1.3, and accept its answer.
const (
	handshake = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// handshake is what a client of the site asks for.
func (s *site) handshake() string {
	if s.deflates {
		return request(map[string]string{"Sec-WebSocket-Extensions": "permessage-deflate"})
	}
	return handshake
}

// accepted reads the answer to a handshake.
func (w *wire) accepted() http.Header {
	w.t.Helper()
	response := w.response()
	if response.StatusCode != http.StatusSwitchingProtocols {
		w.t.Fatalf("got status %s, want 101", response.Status)
	}
	if got := response.Header.Get("Sec-WebSocket-Accept"); got != accept {
		w.t.Errorf("got Sec-WebSocket-Accept %q, want %q", got, accept)
	}
	return response.Header
}

func (w *wire) response() *http.Response {
	w.t.Helper()
	response, err := http.ReadResponse(w.r, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func (w *wire) send(pieces ...string) {
	w.t.Helper()
	extend(w.t, w.nc)
	if _, err := io.WriteString(w.nc, strings.Join(pieces, "")); err != nil {
		w.t.Fatal(err)
	}
}

// read returns the next frame, which has to come in time and is held to what binds a
// server's frames (RFC 6455, sections 5.1 and 5.2), or the error of reading. The opcode of one
// that was compressed has RSV1 added.
func (w *wire) read() (op byte, payload []byte, err error) {
	w.t.Helper()
	// A pipe whose other end is closed has no deadline, but it can be read to its end.
	if err := w.nc.SetDeadline(time.Now().Add(patience)); err != nil && err != io.ErrClosedPipe {
		return 0, nil, err
	}
	var head [10]byte
	if _, err := io.ReadFull(w.r, head[:2]); err != nil {
		return 0, nil, err
	}
	n, least := uint64(head[1]), uint64(0)
	first := head[0]
	if w.deflates && first&8 == 0 {
		first &^= rsv1
	}
	switch {
	case first&0xf0 != fin:
		return 0, nil, fmt.Errorf("a frame starts with %#x: FIN not set, or RSV bits", head[0])
	case head[1]&0x80 != 0:
		return 0, nil, errors.New("the server's frame is masked")
	case n == 126:
		_, err = io.ReadFull(w.r, head[2:4])
		n, least = uint64(binary.BigEndian.Uint16(head[2:])), 126
	case n == 127:
		_, err = io.ReadFull(w.r, head[2:10])
		n, least = binary.BigEndian.Uint64(head[2:]), 1<<16
	}
	if err == nil && (n < least || head[0]&8 != 0 && n > 125) {
		err = fmt.Errorf("a frame of %d bytes begins with % x", n, head)
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(w.r, payload)
	if head[0]&rsv1 != 0 && err == nil {
		payload, err = inflated(payload)
	}
	return head[0] & (rsv1 | 0xf), payload, err
}

// next returns the next frame in words, "eof" at the end.
func (w *wire) next() string {
	w.t.Helper()
	op, payload, err := w.read()
	switch {
	case err == io.EOF:
		return "eof"
	case err != nil:
		return err.Error()
	}
	return inWords(op, payload)
}

func inWords(op byte, payload []byte) string {
	switch {
	case op&rsv1 != 0:
		return "compressed " + inWords(op&^rsv1, payload)
	case op == opClose && len(payload) >= 2:
		return fmt.Sprintf("close %d", binary.BigEndian.Uint16(payload))
	case op == opClose:
		return "close"
	}
	name := map[byte]string{opText: "text", opBinary: "binary", opPing: "ping", opPong: "pong"}[op]
	if len(payload) > 200 {
		return fmt.Sprintf("%s of %d bytes, sum %x", name, len(payload), crc32.ChecksumIEEE(payload))
	}
	return fmt.Sprintf("%s %q", name, payload)
}

// expect reads frames and holds them to what is wanted.
func (w *wire) expect(want ...string) {
	w.t.Helper()
	for _, want := range want {
		if got := w.next(); got != want {
			w.t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// expectMessage is expect that takes no notice of pings.
func (w *wire) expectMessage(want string) {
	w.t.Helper()
	got := w.next()
	for strings.HasPrefix(got, "ping ") {
		w.asked = got
		got = w.next()
	}
	if got != want {
		w.t.Fatalf("got %s, want %s", got, want)
	}
}

// Bits and opcodes of a frame's first byte (RFC 6455, section 5.2).
const (
	fin  = 0x80
	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10

	opMore   = 0
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

var maskKey = [4]byte{0x1d, 0xa2, 0x3f, 0x80}

// frame returns a client's frame.
func frame(first byte, payload string) string {
	n := len(payload)
	switch {
	case n < 126:
		return framed(first, 0, uint64(n)) + mask(payload)
	case n < 1<<16:
		return framed(first, 2, uint64(n)) + mask(payload)
	}
	return framed(first, 8, uint64(n)) + mask(payload)
}

// framed returns a client's header with a length of that many bytes of its own.
func framed(first byte, lengthBytes int, n uint64) string {
	b := []byte{first}
	switch lengthBytes {
	case 0:
		b = append(b, 0x80|byte(n))
	case 2:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	case 8:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), n)
	}
	return string(append(b, maskKey[:]...))
}

func mask(payload string) string {
	b := []byte(payload)
	for i := range b {
		b[i] ^= maskKey[i&3]
	}
	return string(b)
}

func text(payload string) string { return frame(fin|opText, payload) }

func ping(payload string) string { return frame(fin|opPing, payload) }

// closing returns a client's close frame.
func closing(code uint16, reason string) string {
	return frame(fin|opClose, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// endWriting ends the client's side of its connection.
func (w *wire) endWriting() {
	w.t.Helper()
	if err := w.nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		w.t.Fatal(err)
	}
}

// reset ends a connection without a goodbye, which for a Unix socket is to close
// it.
func reset(t testing.TB, w *wire) {
	t.Helper()
	nc := w.nc
	if outer, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = outer.NetConn()
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Close(); err != nil {
		t.Fatal(err)
	}
}

// extend gives a connection as much time as a new one.
func extend(t testing.TB, nc net.Conn) {
	t.Helper()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}
