package server

import (
	"log/slog"
	"net/http"
	"testing"
)

// TestHTTPIsBounded looks for what keeps a client from holding a connection
// that it does not use.
func TestHTTPIsBounded(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Addr: "127.0.0.1:0", DebugAddr: "127.0.0.1:0"}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []*http.Server{s.http, s.debug} {
		if h.ReadHeaderTimeout <= 0 || h.IdleTimeout <= 0 || h.MaxHeaderBytes <= 0 {
			t.Errorf("got %+v", h)
		}
	}
	if s.http.ReadTimeout <= 0 || s.http.WriteTimeout <= 0 {
		t.Error("a body may take forever")
	}
	if err := s.hub.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, l := range []interface{ Close() error }{s.listener, s.debugListener} {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
