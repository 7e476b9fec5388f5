package parleytest

import (
	"cmp"
	"crypto/tls"
	"net/http"
	"time"
)

// Options configure a connection. The zero value of every field means its
// default, and so do nil Options.
type Options struct {
	// Header is added to the request of the handshake: cookies, an Origin, a
	// Host, an Authorization.
	Header http.Header

	// Subprotocols are offered, the preferred one first.
	Subprotocols []string

	// Timeout is how long each method waits. Default 5 s.
	Timeout time.Duration

	// Unread is how many messages may wait to be received before the
	// connection is not read any more, as by a client that is too slow.
	// Default 1024.
	Unread int

	// IgnorePings leaves the server's pings unanswered.
	IgnorePings bool

	// InMemory connects by a net.Pipe. Goroutines that wait for it let the
	// clock of a testing/synctest bubble advance; those that wait for a socket
	// do not. Only for Dial and DialRefused.
	InMemory bool

	// TLS is used for URLs of the schemes wss and https.
	TLS *tls.Config
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	opts.Timeout = cmp.Or(opts.Timeout, 5*time.Second)
	opts.Unread = cmp.Or(opts.Unread, 1024)
	return opts
}
