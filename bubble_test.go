package parley_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// pipe connects to a handler by a net.Pipe, so that it works in a bubble of
// testing/synctest, where time is the test's. writes counts the server's.
func pipe(t testing.TB, handler http.Handler) (w *wire, writes *counted) {
	t.Helper()
	w, writes = pipeRaw(t, handler)
	w.accepted()
	return w, writes
}

// pipeRaw is pipe before the answer to the handshake is read.
func pipeRaw(t testing.TB, handler http.Handler) (w *wire, writes *counted) {
	t.Helper()
	return pipeOffering(t, handler, nil)
}

// pipeDeflate is pipe with a client that offers permessage-deflate.
func pipeDeflate(t testing.TB, handler http.Handler) *wire {
	t.Helper()
	w, _ := pipeOffering(t, handler, []string{"permessage-deflate"})
	w.deflates = true
	w.accepted()
	return w
}

func pipeOffering(t testing.TB, handler http.Handler, extensions []string) (w *wire, writes *counted) {
	t.Helper()
	server, client := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	counting := &counted{Conn: server}
	r := httptest.NewRequest(http.MethodGet, "http://example.com/chat", nil)
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		"Sec-Websocket-Extensions": extensions,
	}
	go handler.ServeHTTP(&hijack{header: http.Header{}, nc: counting}, r.WithContext(t.Context()))
	return &wire{t: t, nc: client, r: bufio.NewReader(client)}, counting
}

// hijack is the ResponseWriter of a connection that can be taken.
type hijack struct {
	header http.Header
	nc     net.Conn
	sync.Once
}

func (h *hijack) Header() http.Header { return h.header }

// WriteHeader answers a refusal, and ends the connection.
func (h *hijack) WriteHeader(status int) {
	h.Do(func() {
		response := &http.Response{ProtoMajor: 1, ProtoMinor: 1, StatusCode: status, Header: h.header}
		_ = response.Write(h.nc)
		_ = h.nc.Close()
	})
}

func (h *hijack) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return len(b), nil
}

func (h *hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.nc, bufio.NewReadWriter(bufio.NewReader(h.nc), bufio.NewWriter(h.nc)), nil
}

// counted counts writes.
type counted struct {
	net.Conn
	mu sync.Mutex
	n  int
}

func (c *counted) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// taken returns the number of writes since the last call.
func (c *counted) taken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n
	c.n = 0
	return n
}
