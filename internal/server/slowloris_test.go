package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// TestSlowRequests has clients send their requests byte by byte: each is dropped
// once the time for it is over, though it goes on, and the server serves others
// meanwhile.
func TestSlowRequests(t *testing.T) {
	t.Parallel()
	const timeout = 300 * time.Millisecond
	s, err := New(Config{Addr: "127.0.0.1:0"}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.http.ReadHeaderTimeout, s.http.ReadTimeout = timeout, timeout
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	const line = "GET /ws/ HTTP/1.1\r\nHost: localhost\r\n"
	t.Run("all", func(t *testing.T) {
		for name, c := range map[string]struct{ begin, again string }{
			"nothing":          {"", ""},
			"request line":     {"GET /", "x"},
			"header":           {line + "X-Slow: ", "x"},
			"header, in lines": {line, "X: y\r\n"},
			"handshake":        {line + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nX-Slow: ", "x"},
			"body": {
				"POST /v1/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n", " ",
			},
			"chunks": {
				"POST /v1/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n",
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				start := time.Now() // the server's clock may begin before Dial returns
				nc, err := net.Dial("tcp", s.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				if err := nc.SetDeadline(start.Add(20 * time.Second)); err != nil {
					t.Fatal(err)
				}
				over, dripped := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(dripped)
					drip(nc, c.begin, c.again, over)
				}()
				answer, err := io.ReadAll(nc)
				close(over)
				<-dripped
				if timedOut, ok := err.(net.Error); ok && timedOut.Timeout() {
					t.Fatal("it was not dropped")
				}
				if took := time.Since(start); took < timeout {
					t.Errorf("it was dropped after %v with %q, %v", took, answer, err)
				}
				if strings.HasPrefix(string(answer), "HTTP/1.1 2") || strings.HasPrefix(string(answer), "HTTP/1.1 101") {
					t.Errorf("it was answered with %q", answer)
				}
			})
		}
	})
}

// drip writes something, and again and again byte by byte until it cannot or is
// over.
func drip(nc net.Conn, begin, again string, over <-chan struct{}) {
	if _, err := io.WriteString(nc, begin); err != nil || again == "" {
		return
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		if _, err := io.WriteString(nc, again[i%len(again):][:1]); err != nil {
			return
		}
	}
}
