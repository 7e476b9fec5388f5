package parley

import (
	"net/http"
	"sync/atomic"
)

// CountCompressions counts the messages that a handler's connections have
// compressed. It is called before there are any.
func CountCompressions(h http.Handler) *atomic.Int64 {
	var n atomic.Int64
	p := h.(*handler).compressed
	compress := p.compress
	p.compress = func(payload []byte, use func([]byte)) bool {
		n.Add(1)
		return compress(payload, use)
	}
	return &n
}
