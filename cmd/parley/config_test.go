package main

import (
	"io"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/parley-rt/parley/internal/server"
)

// parse returns what parley serve would be configured with.
func parse(t *testing.T, args ...string) server.Config {
	t.Helper()
	var c cli
	parser, err := newParser(&c, streams{io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"serve"}, args...)); err != nil {
		t.Fatal(err)
	}
	return c.Serve.Options
}

// TestDefaults holds the flags' defaults to what the library documents.
func TestDefaults(t *testing.T) {
	want := server.Config{
		Addr: "127.0.0.1:8000", ShutdownTimeout: 10 * time.Second, LogFormat: "auto", LogLevel: slog.LevelInfo,
		Limits: server.Limits{
			MessageBytes: 1 << 20, ReceiveQueue: 256, SendQueueBytes: 1 << 20, SlowReader: "close", MailboxBytes: 4 << 20,
			HandshakeTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, ReceiveGrace: 10 * time.Second, ReceiveRate: 256, CloseTimeout: 5 * time.Second, PingInterval: 25 * time.Second,
		},
	}
	if got := parse(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestPrecedence has a flag go before the environment, that before the file,
// and that before the default.
func TestPrecedence(t *testing.T) {
	name := file(t, t.TempDir(), "parley.json", `{
		"addr": "file:1", "message-bytes": 1, "ping-interval": "1s", "open": true, "origin": ["https://a.example", "https://b.example"], "receive-queue": 16
	}`)
	t.Setenv("PARLEY_CONFIG", name)
	t.Setenv("PARLEY_ADDR", "env:2")
	t.Setenv("PARLEY_MESSAGE_BYTES", "2")
	t.Setenv("PARLEY_LOG_LEVEL", "debug")
	got := parse(t, "--addr", "flag:3", "--write-timeout=3s")
	want := server.Config{
		Addr: "flag:3", Open: true, Origins: []string{"https://a.example", "https://b.example"},
		ShutdownTimeout: 10 * time.Second, LogFormat: "auto", LogLevel: slog.LevelDebug,
		Limits: server.Limits{
			MessageBytes: 2, ReceiveQueue: 16, SendQueueBytes: 1 << 20, SlowReader: "close", MailboxBytes: 4 << 20,
			HandshakeTimeout: 10 * time.Second, WriteTimeout: 3 * time.Second, ReceiveGrace: 10 * time.Second, ReceiveRate: 256, CloseTimeout: 5 * time.Second, PingInterval: time.Second,
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestOriginIsRepeatable(t *testing.T) {
	want := []string{"https://a.example", "https://b.example"}
	if got := parse(t, "--origin", want[0], "--origin", want[1]).Origins; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}
