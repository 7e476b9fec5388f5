package socket

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// compressed marks the first frame of b as one of a compressed message.
func compressed(b []byte) []byte {
	b[0] |= 0x40
	return b
}

// TestDecoderCompressed takes compressed messages as they are (RFC 7692, section
// 6), among others, and however the input is cut.
func TestDecoderCompressed(t *testing.T) {
	t.Parallel()
	input := bytes.Join([][]byte{
		compressed(clientFrame(ws.OpText, "\xff\xfe")), clientFrame(ws.OpText, "é"), compressed(clientFrame(ws.OpBinary, "")),
		compressed(fragment(ws.OpText, "\xff")), clientFrame(ws.OpPing, "p"), fragment(ws.OpContinuation, "\xfe"), clientFrame(ws.OpContinuation, "\xfd"),
		fragment(ws.OpText, "a"), clientFrame(ws.OpContinuation, "b"), compressed(fragment(ws.OpBinary, "")), clientFrame(ws.OpContinuation, ""),
	}, nil)
	r := rules{limit: 100, deflate: true}
	want := decoded{
		messages: []string{"compressed false\xff\xfe", "falseé", "compressed true", "compressed false\xff\xfe\xfd", "falseab", "compressed true"},
		pong:     "p", pinged: true,
	}
	for seed := range uint64(100) {
		if got, held := decodePieces(pieces(input, rand.New(rand.NewPCG(seed, 0))), r); !got.equal(want) || held != nil {
			t.Fatalf("cut with seed %d: got %v, want %v", seed, got, want)
		}
	}
}

// TestDecoderCompressedBreaches fails what RFC 7692, section 6, does not allow,
// and RFC 6455, section 5.2, without it.
func TestDecoderCompressedBreaches(t *testing.T) {
	t.Parallel()
	first := compressed(fragment(ws.OpText, "a"))
	allowed := rules{limit: 100, deflate: true}
	for name, test := range map[string]struct {
		input []byte
		rules rules
		want  string
	}{
		"not agreed on":             {compressed(clientFrame(ws.OpText, "a")), rules{limit: 100}, "1002 "},
		"a continuation":            {slices.Concat(first, compressed(clientFrame(ws.OpContinuation, "b"))), allowed, "1002 "},
		"a continuation of nothing": {compressed(clientFrame(ws.OpContinuation, "b")), allowed, "1002 "},
		"a message within another":  {slices.Concat(first, compressed(clientFrame(ws.OpText, "b"))), allowed, "1002 "},
		"a ping":                    {compressed(clientFrame(ws.OpPing, "")), allowed, "1002 "},
		"a pong":                    {compressed(clientFrame(ws.OpPong, "")), allowed, "1002 "},
		"a close":                   {compressed(clientFrame(ws.OpClose, "")), allowed, "1002 "},
		"a reserved opcode":         {compressed(clientFrame(3, "")), allowed, "1002 "},
		"another bit besides":       {[]byte("\xe1\x80mask"), allowed, "1002 "},
		"text that is not":          {clientFrame(ws.OpText, "\xff"), allowed, "1007 "},
		"too long":                  {compressed(clientFrame(ws.OpText, strings.Repeat("a", 101))), allowed, "1009 "},
		"too long together":         {slices.Concat(first, clientFrame(ws.OpContinuation, strings.Repeat("a", 100))), allowed, "1009 "},
	} {
		for _, cut := range [][][]byte{{test.input}, {test.input[:1], test.input[1:]}} {
			if got, _ := decodePieces(cut, test.rules); !strings.HasPrefix(got.end, test.want) || len(got.messages) > 0 {
				t.Errorf("%s: got %v, want %s", name, got, test.want)
			}
		}
	}
}
