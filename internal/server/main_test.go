package server_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/server"
	"github.com/parley-rt/parley/parleytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a server of this process.
type running struct {
	*server.Server
	t    *testing.T
	log  *buffer
	stop func() error // ends Run and returns its error, always the same
}

// nothingKept is for servers on which a user who is not connected is nobody.
var nothingKept = server.Storage{Keep: []string{"none"}}

// start runs a server on a free port of 127.0.0.1, unless cfg says otherwise,
// until the test ends. What it keeps, it keeps in memory.
func start(t *testing.T, cfg server.Config) *running {
	t.Helper()
	return startOn(t, cfg, nil)
}

// startOn runs a server on a layer, whose owner the test is.
func startOn(t *testing.T, cfg server.Config, layer parley.Layer) *running {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	log := &buffer{}
	s, err := server.New(cfg, layer, server.NewLogger(log, cfg))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r := &running{Server: s, t: t, log: log}
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = r.stop() }) // tests of stopping look at the error
	return r
}

// url returns the URL of a path, which begins with a slash.
func (r *running) url(path string) string { return strings.TrimSuffix(r.URL(), "/") + path }

// dial opens a connection.
func (r *running) dial(path string) *parleytest.Communicator {
	r.t.Helper()
	return parleytest.DialURL(r.t, r.url(path), nil)
}

// response is what became of an HTTP request.
type response struct {
	status int
	header http.Header
	body   string
}

// do makes a request on a connection of its own. A Host among the headers is
// sent as such.
func (r *running) do(method, url, body string, header map[string]string) response {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	request.Host = request.Header.Get("Host")
	request.Close = true
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response{answer.StatusCode, answer.Header, string(data)}
}

func (r *running) get(path string) response {
	r.t.Helper()
	return r.do(http.MethodGet, r.url(path), "", nil)
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu   sync.Mutex // guards what follows
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}
