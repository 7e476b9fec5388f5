// Package deflate is permessage-deflate without context takeover (RFC 7692):
// which offers of a client are accepted, and how a message is compressed and
// inflated. Without context takeover each message stands alone, so that one
// that goes to many is compressed once, and an idle connection holds nothing.
package deflate

import "errors"

// Errors of Codec.Inflate.
var (
	ErrCorrupt  = errors.New("deflate: not what DEFLATE makes")
	ErrTooLarge = errors.New("deflate: message too big")
)

// Codec compresses and inflates messages. It is safe for concurrent use: as many
// goroutines as it was made for compress at once, as many inflate, and others
// wait for them. That also bounds what it holds: some 280 KiB for each that
// compresses, which the collector may take back, and up to 64 KiB of output, and
// 76 KiB for each that inflates.
type Codec struct {
	outputs   chan *output   // nil: not made yet
	inflaters chan *inflater // nil: not made yet
}

// NewCodec returns a codec for n goroutines at once.
func NewCodec(n int) *Codec {
	c := &Codec{outputs: make(chan *output, n), inflaters: make(chan *inflater, n)}
	for range n {
		c.outputs <- nil
		c.inflaters <- nil
	}
	return c
}

// flushed ends what a sender makes of a message, which takes it off (RFC 7692,
// section 7.2.1): an empty stored block without its first bits.
const flushed = "\x00\x00\xff\xff"
