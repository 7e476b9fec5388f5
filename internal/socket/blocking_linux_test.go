package socket

import (
	"net"
	"testing"
)

// TestBlockingSocket gives the loop a socket that the program made a blocking one
// in the usual way to set an option: the loop does not wait for it all the same.
func TestBlockingSocket(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.QueueBytes = 1 << 30
	e := newTestEngine(t, cfg)
	server, client := tcpPair(t)
	file, err := server.(*net.TCPConn).File()
	check(t, err)
	file.Fd() // makes the socket, of which this is another descriptor, a blocking one
	defer func() { check(t, file.Close()) }()
	c := open(t, e, server, newRecorder())
	check(t, c.Start(nil)) // nothing can be read
	const total = 500
	for i := range total { // more than the kernel takes
		check(t, c.Write(t.Context(), numbered(i), false))
	}
	onLoop(t, e.loops[0], func() {})
	onLoop(t, e.loops[0], func() {
		if c.out.Load() == nil {
			t.Error("the kernel took all of it")
		}
	})
	for range total {
		_, err := readFrame(client)
		check(t, err)
	}
}
