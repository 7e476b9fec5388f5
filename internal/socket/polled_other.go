//go:build !linux

package socket

import "net"

func newTransport(_ Config, nc net.Conn) (transport, error) { return newStream(nc), nil }

// poller is what a loop needs to read sockets where it can.
type poller struct{ full bool }

func (*poller) add(*Loop, *Conn) error { return nil }

func (*poller) poll(*Loop) {}

func (*poller) goOn(*Loop) {}

func (*poller) close() {}
