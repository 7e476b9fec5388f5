package socket

import (
	"bytes"
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
	f.Add(compressed(append(fragment(ws.OpText, "\xff"), clientFrame(ws.OpContinuation, "\xfe")...)), uint64(9))
	f.Add(append(compressed(clientFrame(ws.OpText, "\xff")), compressed(clientFrame(ws.OpPing, ""))...), uint64(10))
	f.Fuzz(func(t *testing.T, input []byte, seed uint64) {
		for _, r := range []rules{{limit: fuzzLimit}, {limit: fuzzLimit, deflate: true}} {
			whole, _ := decodePieces([][]byte{input}, r)
			cut, held := decodePieces(pieces(input, rand.New(rand.NewPCG(seed, 0))), r)
			if !whole.equal(cut) {
				t.Fatalf("in one piece: %v\nin many: %v", whole, cut)
			}
			if cut.end == "" && held != nil && (len(held.head) >= ws.MaxHeaderSize || len(held.data) > fuzzLimit || len(held.control) > maxControl) {
				t.Fatalf("holds %d, %d and %d bytes", len(held.head), len(held.data), len(held.control))
			}
		}
	})
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
