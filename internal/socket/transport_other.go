//go:build !unix

package socket

import "net"

func newTransport(nc net.Conn) transport { return stream{nc} }

// attempt is what direct writes need where there are any.
type attempt struct{}

func (*attempt) init() {}
