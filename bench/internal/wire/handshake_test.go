package wire_test

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/parley-rt/parley/bench/internal/wire"
)

func TestRequestIsAProperUpgrade(t *testing.T) {
	t.Parallel()
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire.AppendRequest(nil, "host:1", "/ws/"))))
	if err != nil {
		t.Fatal(err)
	}
	if !websocket.IsWebSocketUpgrade(request) || request.Host != "host:1" || request.URL.Path != "/ws/" {
		t.Errorf("got %v for %s%s", request.Header, request.Host, request.URL)
	}
}

func TestParseResponse(t *testing.T) {
	t.Parallel()
	const good = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s62GE7EIJSbR1qmRrdYpNosk+lQ=\r\n\r\n"
	for end := range len(good) {
		if n, err := wire.ParseResponse([]byte(good[:end])); n != 0 || err != nil {
			t.Fatalf("%d bytes there: took %d, %v", end, n, err)
		}
	}
	if n, err := wire.ParseResponse([]byte(good + "frame")); n != len(good) || err != nil {
		t.Errorf("took %d, %v; want %d", n, err, len(good))
	}
}

func TestParseResponseRefuses(t *testing.T) {
	t.Parallel()
	for _, response := range []string{
		"HTTP/1.1 404 Not Found\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: other\r\n\r\n",
		strings.Repeat("x", 9<<10),
	} {
		if _, err := wire.ParseResponse([]byte(response)); err == nil {
			t.Errorf("took %.60q for an upgrade", response)
		}
	}
}
