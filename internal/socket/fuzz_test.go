package socket

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// fuzzLimit is the bound on messages under FuzzDecoder.
const fuzzLimit = 1 << 12

// FuzzDecoder holds the decoder to itself: input in one piece and in many gives
// the same, and what is stored stays within the bounds.
func FuzzDecoder(f *testing.F) {
	f.Add(dialogue[:400], uint64(1))
	f.Add(dialogue, uint64(2))
	for op := range ws.OpCode(16) {
		f.Add(append(clientFrame(op, "a"), clientFrame(op, "b")...), uint64(op))
		f.Add(append(fragment(op, "\xe2\x82"), clientFrame(ws.OpContinuation, "\xac")...), uint64(op))
	}
	f.Add(clientFrame(ws.OpClose, "\x03"), uint64(3))
	f.Add(clientFrame(ws.OpClose, "\x03\xed\xff"), uint64(4))
	f.Add(clientFrame(ws.OpBinary, string(make([]byte, fuzzLimit+1))), uint64(5))
	f.Add(append(fragment(ws.OpBinary, string(make([]byte, fuzzLimit-1))), clientFrame(ws.OpContinuation, "ab")...), uint64(6))
	f.Add([]byte("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00mask"), uint64(7))
	f.Add([]byte("\x81\xfe\x00\x01maska"), uint64(8))
	f.Fuzz(func(t *testing.T, input []byte, seed uint64) {
		whole, _ := decodePieces([][]byte{input}, rules{limit: fuzzLimit})
		cut, held := decodePieces(pieces(input, rand.New(rand.NewPCG(seed, 0))), rules{limit: fuzzLimit})
		if !whole.equal(cut) {
			t.Fatalf("in one piece: %v\nin many: %v", whole, cut)
		}
		if cut.end == "" && held != nil && (len(held.head) >= ws.MaxHeaderSize || len(held.data) > fuzzLimit || len(held.control) > maxControl) {
			t.Fatalf("holds %d, %d and %d bytes", len(held.head), len(held.data), len(held.control))
		}
	})
}

// FuzzLoop sends each engine the same bytes, some of them read before the
// connection was opened, and then ends the client's side: both engines hear what
// the decoder makes of them in one piece, and each connection ends.
func FuzzLoop(f *testing.F) {
	f.Add(dialogue[:400], uint64(1))
	f.Add(dialogue, uint64(2))
	for op := range ws.OpCode(16) {
		f.Add(append(clientFrame(op, "a"), fragment(op, "b")...), uint64(op))
	}
	f.Add(append(fragment(ws.OpText, "a"), clientFrame(ws.OpClose, "\x0f\xa1bye")...), uint64(3))
	f.Add(clientFrame(ws.OpClose, "\x03\xed\xff"), uint64(4))
	f.Add(clientFrame(ws.OpBinary, string(make([]byte, fuzzLimit+1))), uint64(5))
	engines := make(map[string]*Engine)
	for name, portable := range map[string]bool{"polled": false, "portable": true} {
		cfg := testConfig()
		cfg.MessageBytes, cfg.Portable = fuzzLimit, portable
		engines[name] = NewEngine(cfg)
		f.Cleanup(engines[name].Close)
	}
	f.Fuzz(func(t *testing.T, input []byte, seed uint64) {
		whole, _ := decodePieces([][]byte{bytes.Clone(input)}, rules{limit: fuzzLimit})
		for name, e := range engines {
			got := throughLoop(t, e, bytes.Clone(input), rand.New(rand.NewPCG(seed, 1)))
			if want := heard(whole); got != want {
				t.Errorf("%s: heard %s\nwant %s", name, got, want)
			}
		}
	})
}

// heard tells what a handler must hear of what was decoded.
func heard(d decoded) string {
	var code uint16 = codeAbnormal
	closed := ""
	if n, _ := fmt.Sscanf(d.end, "closed with %d", &code); n == 1 {
		closed = fmt.Sprintf("the peer closed with %d, ", code)
	} else {
		_, _ = fmt.Sscan(d.end, &code) // a breach
	}
	return fmt.Sprintf("%q, %sclosed with %d", d.messages, closed, code)
}

// throughLoop sends input to a connection, and tells what its handler hears.
func throughLoop(t *testing.T, e *Engine, input []byte, r *rand.Rand) string {
	server, client := unixPair(t)
	defer func() { _ = client.Close() }()
	h, c := newRecorder(), &Conn{}
	var messages []string
	closed, answered := "", make(chan struct{})
	h.receive = func(received []Message) bool {
		for _, m := range received {
			messages = append(messages, fmt.Sprint(m.Binary, string(m.Data)))
		}
		return true
	}
	h.peer = func(code uint16) {
		closed = fmt.Sprintf("the peer closed with %d, ", code)
		go func() { defer close(answered); _ = c.Close(code, "") }()
	}
	check(t, e.Open(c, server, nil, h))
	check(t, c.Accept())
	early := r.IntN(len(input) + 1)
	check(t, c.Start(input[:early:early]))
	for _, piece := range pieces(input[early:], r) {
		if _, err := client.Write(piece); err != nil {
			break // it was closed already
		}
	}
	_ = client.CloseWrite()
	received, err := io.ReadAll(client)
	if isTimeout(err) {
		t.Error("the server does not end the connection")
	}
	code := await(t, h.closed, "Closed")
	if closed != "" {
		<-answered
		if err == nil && !bytes.HasSuffix(received, closeFrame(code, "")) {
			t.Errorf("the client received % x, want our close frame with %d at the end", received, code)
		}
	}
	return fmt.Sprintf("%q, %sclosed with %d", messages, closed, code)
}

// FuzzUTF8Check holds the check of text in pieces to the one of whole text.
func FuzzUTF8Check(f *testing.F) {
	for _, text := range []string{"κόσμε", "𝄞", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "a\xffb", "\xe2\x82", "\ufffd"} {
		f.Add([]byte(text), uint64(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		var u utf8Check
		ok := true
		for _, piece := range pieces(text, rand.New(rand.NewPCG(seed, 0))) {
			if ok = u.write(bytes.Clone(piece)); !ok {
				break
			}
		}
		if got, want := ok && u.done(), utf8.Valid(text); got != want {
			t.Fatalf("%q: in pieces %v, whole %v", text, got, want)
		}
	})
}
