package deflate

import (
	"errors"

	"github.com/klauspost/compress/flate"
)

// keepOutput bounds the buffer of compressed bytes that is kept for the next
// message.
const keepOutput = 64 << 10

var errNotSmaller = errors.New("deflate: does not shrink")

// Compress calls use with the compressed payload of a message (RFC 7692, section
// 7.2.1), which is the codec's again when use returns. It returns false, and does
// not call use, when that would not be shorter than the payload.
func (c *Codec) Compress(payload []byte, use func(compressed []byte)) bool {
	o := <-c.outputs
	defer func() { c.outputs <- o }()
	if o == nil || cap(o.b) > keepOutput {
		o = &output{}
	}
	o.b, o.bound = o.b[:0], len(payload)+len(flushed)-1
	if flate.StatelessDeflate(o, payload, false, nil) != nil { // too long
		return false
	}
	use(o.b[:len(o.b)-len(flushed)])
	return true
}

// output takes compressed bytes up to a bound, so that what does not shrink is
// given up early.
type output struct {
	b     []byte
	bound int
}

func (o *output) Write(p []byte) (int, error) {
	if len(p) > o.bound-len(o.b) {
		return 0, errNotSmaller
	}
	o.b = append(o.b, p...)
	return len(p), nil
}
