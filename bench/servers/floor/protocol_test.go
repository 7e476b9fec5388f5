package main

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	masked := []byte{0x81, 0x82, 1, 2, 3, 4, 'h' ^ 1, 'i' ^ 2, 0x88}
	opcode, payload, n := split(masked)
	if opcode != 1 || string(payload) != "hi" || n != 8 {
		t.Errorf("got opcode %d, payload %q, %d bytes", opcode, payload, n)
	}
	long := append([]byte{0x81, 0x80 | 126, 0, 200, 0, 0, 0, 0}, strings.Repeat("x", 200)...)
	for end := range len(long) {
		if _, _, n := split(long[:end]); n != 0 {
			t.Fatalf("took %d of a frame that ends after %d bytes", n, end)
		}
	}
	if _, payload, n := split(long); len(payload) != 200 || n != len(long) {
		t.Errorf("got %d bytes of payload, %d taken", len(payload), n)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	const request = "GET /ws/ HTTP/1.1\r\nHost: x\r\nSec-Websocket-Key:  abc \r\n"
	if got := header(request, "sec-websocket-key"); got != "abc" {
		t.Errorf("got %q, want abc", got)
	}
}
