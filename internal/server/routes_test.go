package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/server"
	"github.com/parley-rt/parley/parleytest"
)

// TestNamesInPaths has each path's user be reached by the name it stands for,
// and by no other.
func TestNamesInPaths(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	sender := s.dial("/ws/sender/?ack=1")
	for path, name := range map[string]string{
		"bob":                    "bob",
		"bob+mallory":            "bob+mallory",
		"a%2Fb":                  "a/b",
		"%2F":                    "/",
		"%2E%2E":                 "..",
		"%2e":                    ".",
		"..":                     "..",
		"%252F":                  "%2F",
		"%20":                    " ",
		"%E2%9C%93":              "✓",
		"%F0%9F%A6%9C":           "🦜",
		"*":                      "*",
		"a.%3E":                  "a.>",
		"ws":                     "ws",
		"%3Fack=1":               "?ack=1",
		strings.Repeat("n", 200): strings.Repeat("n", 200),
	} {
		for _, end := range []string{"", "/"} {
			c := s.dial("/ws/" + path + end)
			sender.SendJSON(map[string]string{"message": "hello", "to_user": name})
			sender.Receive()
			var got struct {
				ToUser string `json:"to_user"`
			}
			if c.ReceiveJSON(&got); got.ToUser != name {
				t.Errorf("%s: got what is for %q", path, got.ToUser)
			}
			c.Close(parley.CloseNormal)
		}
	}
}

func TestPathsThatAreNoEndpoints(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	for path, want := range map[string]int{
		"/ws/bob/x":                        http.StatusNotFound,
		"/ws/bob/x/":                       http.StatusNotFound,
		"/ws/bob//":                        http.StatusNotFound,
		"/ws/bob/../alice/":                http.StatusNotFound,
		"/ws//":                            http.StatusNotFound,
		"/ws//bob/":                        http.StatusNotFound,
		"/wsbob":                           http.StatusNotFound,
		"/WS/":                             http.StatusNotFound,
		"/ws/%FF/":                         http.StatusBadRequest,
		"/ws/%00/":                         http.StatusBadRequest,
		"/ws/" + strings.Repeat("n", 201):  http.StatusBadRequest,
		"/":                                http.StatusOK,
		"/v1/send":                         http.StatusMethodNotAllowed,
		"/v1/connect":                      http.StatusNotFound,
		"/ws/%E2%9C%93%F0%9F%A6%9C/%F0%9F": http.StatusNotFound,
	} {
		if got := parleytest.DialURLRefused(t, s.url(path), nil).Status; got != want {
			t.Errorf("%s: status %d, want %d", path, got, want)
		}
	}
}

func TestPlainRequestAtSocket(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	for _, path := range []string{"/ws", "/ws/", "/ws/bob", "/ws/%2E%2E/"} {
		if got := s.get(path).status; got != http.StatusUpgradeRequired {
			t.Errorf("%s: status %d", path, got)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := s.get(path); got.status != http.StatusOK || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %+v", path, got)
		}
	}
}
