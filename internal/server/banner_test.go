package server_test

import (
	"strings"
	"testing"

	"github.com/parley-rt/parley/internal/server"
)

func TestBanner(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{DebugAddr: "127.0.0.1:0"})
	host := s.Addr().String()
	wantInBanner(t, s,
		"Parley v1.2.3\n", "http://"+host+"/\n", "ws://"+host+"/ws/\n", "ws://"+host+"/ws/{username}/\n",
		`curl --json '{"to":"group:/ws/","data":{"message":"Hello"}}' http://`+host+"/v1/send\n",
		"http://"+s.DebugAddr().String()+"/debug/pprof/", "names are not proved", "Ctrl-C")
}

func TestBannerOfOpenServer(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Addr: "0.0.0.0:0", Open: true})
	wantInBanner(t, s, "http://localhost:", "Open to other machines", "names are not proved", "can connect as anybody")
}

func wantInBanner(t *testing.T, s *running, parts ...string) {
	t.Helper()
	banner := s.Banner("v1.2.3")
	for _, part := range parts {
		if !strings.Contains(banner, part) {
			t.Errorf("%q is missing in\n%s", part, banner)
		}
	}
}

// TestBannersCurlLine sends what the banner says to.
func TestBannersCurlLine(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	c := s.dial("/ws/")
	_, line, _ := strings.Cut(s.Banner("v1"), "curl --json '")
	body, _, _ := strings.Cut(line, "'")
	s.send(body)
	if got := c.Receive(); got != `{"message":"Hello"}` {
		t.Errorf("got %s", got)
	}
}
