package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/parley-rt/parley/bench/internal/wire"
)

// serverFrame is a frame as a server sends it, unmasked.
func serverFrame(op byte, payload []byte) []byte {
	masked := wire.AppendFrame(nil, op, payload)
	header := len(masked) - len(payload) - 4
	frame := append([]byte{masked[0], masked[1] &^ 0x80}, masked[2:header]...)
	return append(frame, payload...)
}

func TestAppendFrame(t *testing.T) {
	t.Parallel()
	got := wire.AppendFrame([]byte("before"), wire.Text, []byte("hi"))
	want := append([]byte("before"), 0x81, 0x82, 0, 0, 0, 0, 'h', 'i')
	if !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func TestNextReadsAllLengths(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 125, 126, 127, 4096, 65535, 65536} {
		payload := bytes.Repeat([]byte{'x'}, size)
		frame := serverFrame(wire.Text, payload)
		got, n, err := wire.Next(append(frame, "more"...))
		if err != nil || n != len(frame) || got.Op != wire.Text || !bytes.Equal(got.Payload, payload) {
			t.Errorf("size %d: got op %d, %d bytes of payload, %d taken, %v", size, got.Op, len(got.Payload), n, err)
		}
	}
}

func TestNextWaitsForTheWholeFrame(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 5, 200} {
		frame := serverFrame(wire.Binary, make([]byte, size))
		for end := range len(frame) {
			if _, n, err := wire.Next(frame[:end]); n != 0 || err != nil {
				t.Fatalf("size %d, %d bytes there: took %d, %v", size, end, n, err)
			}
		}
	}
}

func TestNextRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		frame []byte
		want  error
	}{
		"reserved bit":      {[]byte{0xC1, 0}, wire.ErrReserved},
		"reserved opcode":   {[]byte{0x83, 0}, wire.ErrReserved},
		"reserved control":  {[]byte{0x8B, 0}, wire.ErrReserved},
		"first fragment":    {[]byte{0x01, 0}, wire.ErrFragmented},
		"last fragment":     {[]byte{0x80, 0}, wire.ErrFragmented},
		"masked":            {[]byte{0x81, 0x80}, wire.ErrMasked},
		"long control":      {[]byte{0x89, 126}, wire.ErrTooLarge},
		"too large for us":  {[]byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 1}, wire.ErrTooLarge},
		"length overflowed": {[]byte{0x81, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0}, wire.ErrTooLarge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := wire.Next(test.frame); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestCloseCode(t *testing.T) {
	t.Parallel()
	if got := wire.CloseCode([]byte{0x03, 0xF3, 'x'}); got != 1011 {
		t.Errorf("got %d, want 1011", got)
	}
	if got := wire.CloseCode(nil); got != 1005 {
		t.Errorf("got %d for an empty payload, want 1005", got)
	}
}

func FuzzNext(f *testing.F) {
	f.Add(serverFrame(wire.Text, []byte("hello")))
	f.Add([]byte{0x81, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, n, err := wire.Next(b)
		if n < 0 || n > len(b) || len(frame.Payload) > n || (err != nil && n != 0) {
			t.Errorf("took %d of %d bytes, payload of %d, %v", n, len(b), len(frame.Payload), err)
		}
	})
}
