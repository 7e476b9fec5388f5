package server_test

import (
	"net/http"
	"testing"

	"github.com/parley-rt/parley/internal/server"
)

// TestCompress agrees on compression with --compress, and only then.
func TestCompress(t *testing.T) {
	t.Parallel()
	for compress, want := range map[bool]string{
		false: "", true: "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
	} {
		s := start(t, server.Config{Compress: compress})
		for _, path := range []string{"/ws/", "/ws/bob/"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url(path), nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header = http.Header{
				"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
				"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
				"Sec-Websocket-Extensions": {"permessage-deflate; client_max_window_bits"},
			}
			response, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close() // ends the connection
			got := response.Header.Get("Sec-Websocket-Extensions")
			if response.StatusCode != http.StatusSwitchingProtocols || got != want {
				t.Errorf("compress %v: %s answers %d, %q, want %q", compress, path, response.StatusCode, got, want)
			}
		}
	}
}
