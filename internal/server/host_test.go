package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/parley-rt/parley/internal/server"
	"github.com/parley-rt/parley/parleytest"
)

func TestHostHeader(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	for host, local := range map[string]bool{
		"localhost": true, "localhost:1": true, "LocalHost:8000": true, "127.0.0.1": true, "127.0.0.1:9": true, "[::1]": true, "[::1]:8000": true,
		"evil.example": false, "evil.example:8000": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"0.0.0.0:8000": false, "192.168.0.1": false, "[::]:8000": false, "[fe80::1]": false, "localhost.": false, "xlocalhost": false,
	} {
		for _, path := range []string{"/", "/v1/send", "/healthz", "/ws/", "/nothing"} {
			got := s.do(http.MethodGet, s.url(path), "", map[string]string{"Host": host})
			if refused := got.status == http.StatusForbidden; refused == local {
				t.Errorf("%s at %s: %d %s", path, host, got.status, got.body)
			}
			if !local {
				wantProblem(t, got, http.StatusForbidden, "forbidden")
			}
		}
		if !local {
			dialWith(t, s, "Host", host, http.StatusForbidden)
		}
	}
}

func TestHostHeaderOfOpenServer(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Open: true})
	if got := s.do(http.MethodGet, s.url("/"), "", map[string]string{"Host": "chat.example"}); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Origins: []string{"https://shop.example"}})
	for _, origin := range []string{
		"http://localhost", "http://localhost:5173", "http://127.0.0.1:3000", "https://localhost:8443", "http://[::1]:8000",
		"https://shop.example", strings.TrimSuffix(s.URL(), "/"),
	} {
		dialWith(t, s, "Origin", origin, http.StatusSwitchingProtocols)
	}
	for _, origin := range []string{
		"https://evil.example", "http://shop.example", "http://localhost.evil.example", "http://localhost.evil.example:80", "null", "file://",
	} {
		dialWith(t, s, "Origin", origin, http.StatusForbidden)
	}
}

func TestOriginsOfOpenServer(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Open: true, Origins: []string{"https://*.shop.example"}})
	dialWith(t, s, "Origin", "https://www.shop.example", http.StatusSwitchingProtocols)
	dialWith(t, s, "Origin", "http://localhost:5173", http.StatusForbidden)
}

// dialWith makes a handshake with one more header, and expects its status.
func dialWith(t *testing.T, s *running, name, value string, want int) {
	t.Helper()
	opts := &parleytest.Options{Header: http.Header{name: {value}}}
	if want == http.StatusSwitchingProtocols {
		parleytest.DialURL(t, s.url("/ws/"), opts)
		return
	}
	if got := parleytest.DialURLRefused(t, s.url("/ws/"), opts).Status; got != want {
		t.Errorf("%s %s: status %d, want %d", name, value, got, want)
	}
}
