package deflate

import (
	"io"

	"github.com/klauspost/compress/flate"
)

// Inflate returns the message of a compressed payload (RFC 7692, section 7.2.2)
// in memory of its own. The error is ErrTooLarge when it is longer than limit
// bytes, and ErrCorrupt when the payload is not whole blocks of DEFLATE; one
// without a byte is not. No more is allocated than the message is long.
func (c *Codec) Inflate(payload []byte, limit int) ([]byte, error) {
	f := <-c.inflaters
	defer func() { c.inflaters <- f }()
	if f == nil {
		f = newInflater()
	}
	defer f.reset(nil) // lets go of the payload
	return f.inflate(payload, limit)
}

// inflater inflates one message after the other.
type inflater struct {
	input  input
	stream interface {
		io.Reader
		flate.Resetter
	}
	start [32 << 10]byte // of the message
}

func newInflater() *inflater {
	f := &inflater{}
	f.stream = flate.NewReader(&f.input).(interface {
		io.Reader
		flate.Resetter
	})
	return f
}

// reset begins a message.
func (f *inflater) reset(payload []byte) {
	f.input = input{b: payload}
	_ = f.stream.Reset(&f.input, nil) // never fails
}

// inflate inflates a short message into the buffer, and a longer one twice: once
// to know its length, or that it is too long, before anything is allocated.
func (f *inflater) inflate(payload []byte, limit int) ([]byte, error) {
	f.reset(payload)
	n, err := io.ReadFull(f, f.start[:])
	whole := err == io.EOF || err == io.ErrUnexpectedEOF
	switch {
	case err != nil && !whole:
		return nil, err
	case n > limit:
		return nil, ErrTooLarge
	case whole:
		return append(make([]byte, 0, n), f.start[:n]...), nil
	}
	more, err := io.Copy(io.Discard, io.LimitReader(f, int64(limit-n)+1))
	switch {
	case err != nil:
		return nil, err
	case more > int64(limit-n):
		return nil, ErrTooLarge
	}
	f.reset(payload)
	message := make([]byte, n+int(more))
	_, err = io.ReadFull(f, message)
	return message, err
}

// Read inflates the next bytes. Its error is io.EOF at the end of the message, or
// ErrCorrupt. A final block before the end is followed by another stream of
// blocks (RFC 7692, section 7.2.3.4).
func (f *inflater) Read(p []byte) (int, error) {
	for {
		n, err := f.stream.Read(p)
		switch {
		case n > 0 || err == nil:
			return n, nil
		case err != io.EOF:
			return 0, ErrCorrupt
		case !f.input.left():
			return 0, io.EOF
		}
		_ = f.stream.Reset(&f.input, nil) // never fails
	}
}

// tail follows each payload: what its sender took off, and a final block, so that
// DEFLATE ends where the message does.
var tail = []byte(flushed + "\x01\x00\x00\xff\xff")

// input is a payload and then the tail.
type input struct {
	b    []byte // what is left of either
	last bool   // of the tail
}

// left reports whether anything is left.
func (in *input) left() bool {
	if len(in.b) == 0 && !in.last {
		in.b, in.last = tail, true
	}
	return len(in.b) > 0
}

// ReadByte keeps flate from reading ahead.
func (in *input) ReadByte() (byte, error) {
	if !in.left() {
		return 0, io.EOF
	}
	c := in.b[0]
	in.b = in.b[1:]
	return c, nil
}

func (in *input) Read(p []byte) (int, error) {
	if !in.left() {
		return 0, io.EOF
	}
	n := copy(p, in.b)
	in.b = in.b[n:]
	return n, nil
}
