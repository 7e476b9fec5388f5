//go:build !unix

package socket

import "net"

// awaitReadable leaves waiting to reading.
func awaitReadable(net.Conn) error { return nil }
