package socket

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// decoded is what became of some bytes.
type decoded struct {
	messages []string
	pong     string // the last ping's
	pinged   bool
	end      string // why decoding ended, if it did
}

func (d decoded) String() string { return fmt.Sprintf("%q, pong %q, %s", d.messages, d.pong, d.end) }

// decodePieces gives pieces to one decoder, as reads do.
func decodePieces(pieces [][]byte, r rules) (got decoded, held *partial) {
	var d decoder
	var in inbound
	for _, piece := range pieces {
		in.reset()
		err := d.decode(bytes.Clone(piece), r, &in)
		for _, m := range in.messages {
			words := fmt.Sprint(m.Binary, string(m.Data))
			if m.Compressed {
				words = "compressed " + words
			}
			got.messages = append(got.messages, words)
		}
		if in.pong != nil {
			got.pong, got.pinged = string(in.pong), true
		}
		switch {
		case err != nil:
			got.end = fmt.Sprint(err.(*decodeError).code, " ", err)
			return got, d.part
		case in.closed:
			got.end = fmt.Sprintf("closed with %d %q", in.code, in.reason)
			return got, d.part
		}
	}
	return got, d.part
}

func (d decoded) equal(other decoded) bool {
	return d.String() == other.String() && d.pinged == other.pinged
}

// pieces cuts b at random.
func pieces(b []byte, r *rand.Rand) (cut [][]byte) {
	for len(b) > 0 {
		n := 1 + r.IntN(min(len(b), 1<<r.IntN(12)))
		cut, b = append(cut, b[:n]), b[n:]
	}
	return cut
}

// fragment returns a frame that is not the last of its message.
func fragment(op ws.OpCode, payload string) []byte {
	b := clientFrame(op, payload)
	b[0] &^= 0x80
	return b
}

// dialogue is input that has a bit of everything.
var dialogue = bytes.Join([][]byte{
	clientFrame(ws.OpText, "hello"), clientFrame(ws.OpBinary, ""), clientFrame(ws.OpBinary, strings.Repeat("\xff", 300)),
	fragment(ws.OpText, "κόσ"), clientFrame(ws.OpPing, "p"), fragment(ws.OpContinuation, "μ"), clientFrame(ws.OpPong, ""),
	clientFrame(ws.OpContinuation, "ε"), fragment(ws.OpBinary, ""), clientFrame(ws.OpContinuation, ""),
	clientFrame(ws.OpText, strings.Repeat("é", 200)), clientFrame(ws.OpPing, ""), clientFrame(ws.OpText, "€"),
	clientFrame(ws.OpClose, "\x03\xe8bye"), clientFrame(ws.OpText, "after the close"),
}, nil)

// TestDecoderSplits cuts one input in two at each place, and at random.
func TestDecoderSplits(t *testing.T) {
	t.Parallel()
	want, _ := decodePieces([][]byte{dialogue}, rules{limit: 1 << 20})
	if len(want.messages) != 7 || want.end != `closed with 1000 "bye"` {
		t.Fatalf("got %v", want)
	}
	for i := range dialogue {
		if got, _ := decodePieces([][]byte{dialogue[:i], dialogue[i:]}, rules{limit: 1 << 20}); !got.equal(want) {
			t.Fatalf("cut at %d: got %.300v", i, got)
		}
	}
	for seed := range uint64(200) {
		if got, _ := decodePieces(pieces(dialogue, rand.New(rand.NewPCG(seed, 0))), rules{limit: 1 << 20}); !got.equal(want) {
			t.Fatalf("cut with seed %d: got %.300v", seed, got)
		}
	}
}

// TestDecoderIdle holds nothing between messages.
func TestDecoderIdle(t *testing.T) {
	t.Parallel()
	for _, input := range [][]byte{
		clientFrame(ws.OpText, "whole"), append(fragment(ws.OpText, "in "), clientFrame(ws.OpContinuation, "two")...), clientFrame(ws.OpPing, "p"),
	} {
		for i := range input {
			if _, held := decodePieces([][]byte{input[:i], input[i:]}, rules{limit: 100}); held != nil {
				t.Errorf("% x, cut at %d: holds %+v", input, i, held)
			}
		}
	}
}

// TestDecoderDeclaredLength stores nothing for a length that was only declared.
func TestDecoderDeclaredLength(t *testing.T) {
	t.Parallel()
	head := []byte("\x82\xff\x00\x00\x00\x00\x3f\xff\xff\xff\x01\x02\x03\x04abc") // nearly 1 GiB
	_, held := decodePieces([][]byte{head}, rules{limit: 1 << 30})
	if held == nil || cap(held.data) > 1000 {
		t.Fatalf("holds %+v", held)
	}
}

// TestDecoderOwnsMessages lets the read buffer be used again.
func TestDecoderOwnsMessages(t *testing.T) {
	t.Parallel()
	var d decoder
	var in inbound
	b := append(clientFrame(ws.OpText, "first"), fragment(ws.OpText, "sec")...)
	b = append(b, clientFrame(ws.OpPing, "ping")...)
	if err := d.decode(b, rules{limit: 100}, &in); err != nil {
		t.Fatal(err)
	}
	first, pong := in.messages[0].Data, in.pong
	clear(b)
	in.reset()
	if err := d.decode(clientFrame(ws.OpContinuation, "ond"), rules{limit: 100}, &in); err != nil {
		t.Fatal(err)
	}
	if second := in.messages[0].Data; string(first) != "first" || string(second) != "second" || string(pong) != "ping" {
		t.Errorf("got %q, %q and %q", first, second, pong)
	}
}
