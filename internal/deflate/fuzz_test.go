package deflate_test

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/parley-rt/parley/internal/deflate"
)

// fuzzLimit is the bound on messages under FuzzInflate: beyond what is inflated
// in one go.
const fuzzLimit = 40 << 10

// FuzzInflate inflates any bytes, and holds the result to the bound and to the
// standard library's.
func FuzzInflate(f *testing.F) {
	c := deflate.NewCodec(1)
	for _, n := range []int{300, 33 << 10, fuzzLimit, fuzzLimit + 1} {
		f.Add(compress(c, chat(n)))
		f.Add(compress(c, make([]byte, n)))
	}
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"))
	f.Add([]byte("\x01\x05\x00\xfa\xffHello\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := c.Inflate(bytes.Clone(payload), fuzzLimit)
		want, wantErr := reference(payload)
		if err != wantErr || !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes, %v, want %d, %v", len(got), err, len(want), wantErr)
		}
	})
}

// reference is Inflate by the standard library.
func reference(payload []byte) ([]byte, error) {
	in := bytes.NewReader(append(bytes.Clone(payload), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	var all []byte
	for in.Len() > 0 {
		room := int64(fuzzLimit + 1 - len(all))
		stream, err := io.ReadAll(io.LimitReader(flate.NewReader(in), room))
		all = append(all, stream...)
		switch {
		case len(all) > fuzzLimit:
			return nil, deflate.ErrTooLarge
		case err != nil:
			return nil, deflate.ErrCorrupt
		}
	}
	return all, nil
}

// FuzzRoundTrip gives any message back.
func FuzzRoundTrip(f *testing.F) {
	c := deflate.NewCodec(1)
	for _, n := range []int{0, 10, 300, 33 << 10, 70 << 10} {
		f.Add(chat(n))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		payload := compress(c, message)
		if payload == nil {
			return
		}
		got, err := c.Inflate(payload, len(message))
		if len(payload) >= len(message) || err != nil || !bytes.Equal(got, message) {
			t.Fatalf("%d bytes, compressed %d, come back as %d: %v", len(message), len(payload), len(got), err)
		}
	})
}

// FuzzNegotiate answers any header, and only offers of the extension.
func FuzzNegotiate(f *testing.F) {
	for _, header := range []string{
		"permessage-deflate; client_max_window_bits", `x; a="\\b", permessage-deflate; server_max_window_bits="15"`,
		"permessage-deflate; server_max_window_bits=8, permessage-deflate", ",,;=\"", "permessage-deflate; client_max_window_bits=\"1\\5\"",
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		answer, ok := deflate.Negotiate([]string{header})
		switch {
		case !ok && answer != "", ok && answer != agreed && answer != full:
			t.Fatalf("got %q, %v", answer, ok)
		case ok && !strings.Contains(header, "permessage-deflate"):
			t.Fatalf("%q is accepted", header)
		}
		if again, _ := deflate.Negotiate([]string{header, "permessage-deflate"}); ok && again != answer {
			t.Fatalf("with an offer behind it %q, without %q", again, answer)
		}
		if own, same := deflate.Negotiate([]string{answer}); ok && (!same || own != answer) {
			t.Fatalf("the answer %q is answered by %q", answer, own)
		}
	})
}
