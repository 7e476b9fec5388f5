package socket

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// peer is the client's end of a connection.
type peer interface {
	net.Conn
	CloseWrite() error
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

// kind is one way in which a connection's bytes are moved.
type kind struct {
	name     string
	portable bool
	pair     func(t *testing.T) (server net.Conn, client peer)
}

// kinds are all of them. The first two are polled where there is epoll.
var kinds = []kind{
	{"polled TCP", false, tcpPair},
	{"polled Unix", false, unixPair},
	{"portable TCP", true, tcpPair},
	{"portable Unix", true, unixPair},
	{"wrapped", false, wrappedPair},
}

// config returns one for connections of this kind, with bounds that no test
// reaches by accident.
func (k kind) config() Config {
	cfg := testConfig()
	cfg.Portable = k.portable
	return cfg
}

// onKinds runs a test for connections of each kind.
func onKinds(t *testing.T, f func(t *testing.T, k kind)) {
	t.Helper()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			f(t, k)
		})
	}
}

// onEngines runs a test on each of the engines.
func onEngines(t *testing.T, f func(t *testing.T, cfg Config)) {
	t.Helper()
	for name, portable := range map[string]bool{"polled": false, "portable": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig()
			cfg.Portable = portable
			f(t, cfg)
		})
	}
}

// patience bounds how long a test waits for what is to come.
const patience = 30 * time.Second

// tcpPair returns the ends of a TCP connection. The client's ends with the test,
// at the latest.
func tcpPair(t *testing.T) (server net.Conn, client peer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	return dialed(t, l)
}

func unixPair(t *testing.T) (server net.Conn, client peer) {
	t.Helper()
	dir, err := os.MkdirTemp("", "") // the name of a socket must be short
	check(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	check(t, err)
	return dialed(t, l)
}

// wrappedPair has a server's end of which an engine knows nothing but that it is
// a connection.
func wrappedPair(t *testing.T) (net.Conn, peer) {
	t.Helper()
	server, client := tcpPair(t)
	return struct{ net.Conn }{server}, client
}

func dialed(t *testing.T, l net.Listener) (net.Conn, peer) {
	t.Helper()
	defer func() { _ = l.Close() }()
	client, err := net.Dial(l.Addr().Network(), l.Addr().String())
	check(t, err)
	t.Cleanup(func() { _ = client.Close() })
	check(t, client.SetDeadline(time.Now().Add(4*patience))) // all that a test does with it
	server, err := l.Accept()
	check(t, err)
	return server, client.(peer)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
