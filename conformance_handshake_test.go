package parley_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
)

// request is a handshake with lines of its header replaced, added or, where the
// value is empty, left out; "" is the request line.
func request(changes map[string]string) string {
	lines := strings.Split(strings.TrimSuffix(handshake, "\r\n\r\n"), "\r\n")
	changed := make(map[string]bool)
	lines = slices.DeleteFunc(lines, func(line string) bool {
		name, _, header := strings.Cut(line, ": ")
		if !header {
			name = ""
		}
		_, change := changes[name]
		return change
	})
	if first, ok := changes[""]; ok {
		lines, changed[""] = slices.Insert(lines, 0, first), true
	}
	for name, value := range changes {
		if value != "" && !changed[name] {
			lines = append(lines, name+": "+value)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// TestConformanceHandshake holds the server to RFC 6455, section 4.2.1.
func TestConformanceHandshake(t *testing.T) {
	t.Parallel()
	const version, key = "Sec-WebSocket-Version", "Sec-WebSocket-Key"
	cases := []struct {
		name    string
		changes map[string]string
		status  int
	}{
		{"4.2.1 sound", nil, 101},
		{"4.2.1 tokens in any case", map[string]string{"Upgrade": "WebSocket", "Connection": "upgrade"}, 101},
		{"4.2.1 Connection is a list", map[string]string{"Connection": "keep-alive, Upgrade"}, 101},
		{"4.2.1 Upgrade is a list", map[string]string{"Upgrade": "h2c ,websocket"}, 101},
		{"4.2.1 no Upgrade", map[string]string{"Upgrade": ""}, 426},
		{"4.2.1 another Upgrade", map[string]string{"Upgrade": "h2c"}, 426},
		{"4.2.1 Upgrade that only begins so", map[string]string{"Upgrade": "websockets"}, 426},
		{"4.2.1 no Connection", map[string]string{"Connection": ""}, 426},
		{"4.2.1 Connection without upgrade", map[string]string{"Connection": "keep-alive"}, 426},
		{"4.2.1 no version", map[string]string{version: ""}, 426},
		{"4.4 version 8", map[string]string{version: "8"}, 426},
		{"4.4 version 14", map[string]string{version: "14"}, 426},
		{"4.4 version 013", map[string]string{version: "013"}, 426},
		{"4.2.1 POST", map[string]string{"": "POST /chat HTTP/1.1"}, 400},
		{"4.2.1 HTTP/1.0", map[string]string{"": "GET /chat HTTP/1.0"}, 400},
		{"4.2.1 no Host", map[string]string{"Host": ""}, 400},
		{"4.2.1 no key", map[string]string{key: ""}, 400},
		{"4.2.1 key that is no base64", map[string]string{key: "????????????????????????"}, 400},
		{"4.2.1 key of 15 bytes", map[string]string{key: "AQIDBAUGBwgJCgsMDQ4P"}, 400},
		{"4.2.1 key of 17 bytes", map[string]string{key: "AQIDBAUGBwgJCgsMDQ4PEBE="}, 400},
		{"4.2.1 two keys", map[string]string{key: "dGhlIHNhbXBsZSBub25jZQ==\r\n" + key + ": AQIDBAUGBwgJCgsMDQ4PEA=="}, 400},
		{"9.1 extensions are not taken", map[string]string{"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}, 101},
	}
	for _, k := range kinds {
		s := newSite(t, k.transport, k.hub(t, nil), newEcho)
		for _, c := range cases {
			t.Run(k.String()+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				w := s.connect(t)
				w.send(request(c.changes))
				if c.status == http.StatusSwitchingProtocols {
					if ext := w.accepted().Get("Sec-WebSocket-Extensions"); ext != "" {
						t.Errorf("got Sec-WebSocket-Extensions %q", ext)
					}
					w.send(text("a"))
					w.expect(`text "a"`)
					return
				}
				response := w.response()
				if response.StatusCode != c.status {
					t.Fatalf("got status %s, want %d", response.Status, c.status)
				}
				upgrade, versions := response.Header.Get("Upgrade"), response.Header.Get(version)
				if c.status == http.StatusUpgradeRequired && (upgrade != "websocket" || versions != "13") {
					t.Errorf("got Upgrade %q and %s %q, want websocket and 13", upgrade, version, versions)
				}
			})
		}
	}
}

// TestConformanceSubprotocol holds the server to RFC 6455, sections 4.2.2 and
// 1.9: it answers with one of the client's offers that it speaks, or with none.
func TestConformanceSubprotocol(t *testing.T) {
	t.Parallel()
	spoken := []string{"parley.v1", "chat"}
	chosen := func() parley.Consumer { return consumer{connect: replySubprotocol} }
	s := newSite(t, "tcp", newHub(t, nil), chosen, spoken...)
	for offer, want := range map[string]string{
		"":                                      "",
		"chat":                                  "chat",
		"other":                                 "",
		"Chat":                                  "",
		"other, chat":                           "chat",
		"chat, parley.v1":                       "chat",
		"parley.v1,chat":                        "parley.v1",
		"other\r\nSec-WebSocket-Protocol: chat": "chat",
	} {
		t.Run(offer, func(t *testing.T) {
			t.Parallel()
			w := s.connect(t)
			w.send(request(map[string]string{"Sec-WebSocket-Protocol": offer}))
			if got := w.accepted().Values("Sec-WebSocket-Protocol"); strings.Join(got, ",") != want {
				t.Errorf("got %q, want %q", got, want)
			}
			w.expect(`text "` + want + `"`)
		})
	}
}

func replySubprotocol(c *parley.Conn) error { return c.Reply(parley.Text(c.Subprotocol())) }

// TestConformanceOrigin holds the server to RFC 6455, sections 4.2.2 and 10.2.
func TestConformanceOrigin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host, origin string
		patterns     []string
		allowed      bool
	}{
		{"example.com", "", nil, true},
		{"example.com", "http://example.com", nil, true},
		{"example.com", "https://example.com", nil, true},
		{"Example.COM", "http://example.com", nil, true},
		{"example.com:80", "http://example.com", nil, true},
		{"example.com", "http://example.com:80", nil, true},
		{"example.com:443", "https://example.com", nil, true},
		{"example.com:443", "http://example.com", nil, false},
		{"example.com:8080", "http://example.com:8080", nil, true},
		{"example.com:8080", "http://example.com", nil, false},
		{"example.com", "http://example.com:8080", nil, false},
		{"[::1]:8080", "http://[::1]:8080", nil, true},
		{"[::1]", "http://[::1]:80", nil, true},
		{"example.com", "http://example.com.evil.test", nil, false},
		{"example.com", "http://evil.test", nil, false},
		{"example.com", "http://evilexample.com", nil, false},
		{"example.com", "null", nil, false},
		{"example.com", "file://", nil, false},
		{"example.com", "://", nil, false},
		{"example.com", "http://a.test", []string{"http://a.test"}, true},
		{"example.com", "HTTP://A.test", []string{"http://a.TEST"}, true},
		{"example.com", "https://a.test", []string{"http://a.test"}, false},
		{"example.com", "https://a.test", []string{"a.test"}, true},
		{"example.com", "https://a.test:8443", []string{"a.test"}, false},
		{"example.com", "https://x.a.test", []string{"https://*.a.test"}, true},
		{"example.com", "https://x.y.a.test", []string{"https://*.a.test"}, true},
		{"example.com", "https://a.test", []string{"https://*.a.test"}, false},
		{"example.com", "https://xa.test", []string{"https://*.a.test"}, false},
		{"example.com", "https://x.a.test.evil.test", []string{"https://*.a.test"}, false},
		{"example.com", "http://localhost:5173", []string{"http://localhost:*"}, true},
		{"example.com", "http://localhost", []string{"http://localhost:*"}, false},
		{"example.com", "http://b.test", []string{"a.test", "b.test"}, true},
		{"example.com", "http://evil.test", []string{"*"}, true},
		{"example.com", "null", []string{"*"}, true},
		{"example.com", "null", []string{"null"}, false},
	} {
		t.Run(c.host+" "+c.origin+" "+strings.Join(c.patterns, " "), func(t *testing.T) {
			t.Parallel()
			hub := newHub(t, &parley.Options{Origins: c.patterns})
			w := newSite(t, "tcp", hub, newEcho).connect(t)
			w.send(request(map[string]string{"Host": c.host, "Origin": c.origin}))
			want := http.StatusForbidden
			if c.allowed {
				want = http.StatusSwitchingProtocols
			}
			if got := w.response(); got.StatusCode != want {
				t.Errorf("got status %s, want %d", got.Status, want)
			}
		})
	}
}

// TestConformanceRefused maps what Connect returns to a status.
func TestConformanceRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		connect func(*parley.Conn) error
		status  int
		body    string
	}{
		{"unauthenticated", func(*parley.Conn) error { return &parley.Error{Code: parley.Unauthenticated, Message: "who are you"} }, 401, "who are you"},
		{"forbidden", func(*parley.Conn) error { return &parley.Error{Code: parley.Forbidden, Message: "no"} }, 403, "no"},
		{"rate limited", func(*parley.Conn) error { return &parley.Error{Code: parley.RateLimited} }, 429, ""},
		{"a code of its own", func(*parley.Conn) error { return &parley.Error{Code: "odd", Message: "hm"} }, 500, "hm"},
		{"another error", func(*parley.Conn) error { return http.ErrAbortHandler }, 500, "internal error"},
		{"a panic", func(*parley.Conn) error { panic("secret") }, 500, "internal error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hub := newHub(t, nil)
			disconnect := func(*parley.Conn, parley.CloseCode) { t.Error("Disconnect was called") }
			w := newSite(t, "tcp", hub, func() parley.Consumer { return consumer{connect: c.connect, disconnect: disconnect} }).connect(t)
			w.send(handshake)
			response := w.response()
			body := make([]byte, 1000)
			n, _ := response.Body.Read(body)
			if response.StatusCode != c.status || !strings.Contains(string(body[:n]), c.body) || strings.Contains(string(body[:n]), "secret") {
				t.Errorf("got status %d and %q, want %d and %q", response.StatusCode, body[:n], c.status, c.body)
			}
		})
	}
}

// TestConformanceMiddlewareHeader sends what middleware set with the upgrade.
func TestConformanceMiddlewareHeader(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	inner := hub.Handler(newEcho)
	s := serve(t, "tcp", hub, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Sec-WebSocket-Protocol", "forged")
		inner.ServeHTTP(w, r)
	}))
	w := s.connect(t)
	w.send(handshake)
	h := w.accepted()
	if h.Get("Set-Cookie") != "a=b" || h.Get("Sec-WebSocket-Protocol") != "" {
		t.Errorf("got header %v, want Set-Cookie and no subprotocol", h)
	}
}

// TestConformanceHTTP2 refuses what comes by HTTP/2 without the header fields
// that may not be sent there (RFC 9113, section 8.2.2).
func TestConformanceHTTP2(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(newHub(t, nil).Handler(newEcho))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	response, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.ProtoMajor != 2 || response.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("got %s %s, want HTTP/2.0 426", response.Proto, response.Status)
	}
	for _, name := range []string{"Connection", "Upgrade"} {
		if value := response.Header.Get(name); value != "" {
			t.Errorf("got %s %q", name, value)
		}
	}
}
