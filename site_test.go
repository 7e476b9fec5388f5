package parley_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// kind is an engine and what it serves.
type kind struct {
	engine    string // "loops" or "portable"
	transport string // "tcp", "unix", "tls", or "wrapped": a listener that changes each byte
}

// kinds are what every test of what a client sees goes over. Where the system
// has no event loops of this library all are portable.
var kinds = []kind{
	{"loops", "tcp"}, {"loops", "unix"}, {"portable", "tcp"}, {"portable", "unix"}, {"portable", "tls"}, {"portable", "wrapped"},
}

// engines are one kind for each engine, for tests of what a transport does not
// change.
var engines = []kind{{"loops", "tcp"}, {"portable", "tcp"}}

// unlike are those of which each reads or writes in a way of its own, for tests
// that take time.
var unlike = append(slices.Clip(engines), kind{"portable", "tls"})

func (k kind) String() string { return k.engine + " " + k.transport }

// hub is newHub on an engine. What its loops cannot poll a hub takes for a case of
// the portable engine by itself.
func (k kind) hub(t testing.TB, opts *parley.Options) *parley.Hub {
	t.Helper()
	if k.engine == "portable" && (k.transport == "tcp" || k.transport == "unix") {
		return newHubBy(t, parley.NewPortableHub, opts)
	}
	return newHub(t, opts)
}

// onAll runs a test over all of some kinds.
func onAll(t *testing.T, of []kind, test func(t *testing.T, k kind)) {
	t.Helper()
	for _, k := range of {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

// site is a server on one transport.
type site struct {
	hub  *parley.Hub
	http *httptest.Server
	dial func() (net.Conn, error)

	deflates bool // clients offer permessage-deflate
}

// newHub returns a hub that ends with the test. Nil options are the defaults.
func newHub(t testing.TB, opts *parley.Options) *parley.Hub {
	t.Helper()
	return newHubBy(t, parley.NewHub, opts)
}

func newHubBy(t testing.TB, newHub func(*parley.Options) *parley.Hub, opts *parley.Options) *parley.Hub {
	t.Helper()
	if opts == nil {
		opts = &parley.Options{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	hub := newHub(opts)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := hub.Close(ctx); err != nil && err != parley.ErrClosed {
			t.Error(err)
		}
	})
	return hub
}

// newSite serves one kind of consumer of a hub.
func newSite(t testing.TB, transport string, hub *parley.Hub, factory func() parley.Consumer, subprotocols ...string) *site {
	t.Helper()
	return serve(t, transport, hub, hub.Handler(factory, subprotocols...))
}

func serve(t testing.TB, transport string, hub *parley.Hub, handler http.Handler) *site {
	t.Helper()
	return serveBy(t, transport, hub, httptest.NewUnstartedServer(handler))
}

// serveBy is serve for a server that the test made.
func serveBy(t testing.TB, transport string, hub *parley.Hub, srv *httptest.Server) *site {
	t.Helper()
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s := &site{hub: hub, http: srv}
	t.Cleanup(srv.Close)
	network := "tcp"
	if transport == "unix" {
		network = "unix"
		srv.Listener = listenUnix(t)
	}
	address := srv.Listener.Addr().String()
	s.dial = func() (net.Conn, error) { return net.Dial(network, address) }
	switch transport {
	case "tls":
		srv.StartTLS()
		s.dial = dialTLS(srv)
	case "wrapped":
		srv.Listener = inverting{srv.Listener}
		srv.Start()
		s.dial = func() (net.Conn, error) { return dialInverted(address) }
	default:
		srv.Start()
	}
	return s
}

func listenUnix(t testing.TB) net.Listener {
	t.Helper()
	dir, err := os.MkdirTemp("", "parley") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dialTLS(srv *httptest.Server) func() (net.Conn, error) {
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	address := srv.Listener.Addr().String()
	cfg := &tls.Config{RootCAs: pool, ServerName: "example.com", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	return func() (net.Conn, error) { return tls.Dial("tcp", address, cfg) }
}

// await waits for a value, or for the end, of a channel.
func await[T any](t testing.TB, ch <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// textLogger writes what is logged, from warnings on, to a builder, which may be
// read once nobody logs any more.
func textLogger(to *strings.Builder) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
