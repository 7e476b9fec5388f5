package main

import (
	"io"
	"log/slog"
	"reflect"
	"strings"
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
		Storage: server.Storage{Data: "parley-data", Durability: "machine"},
		Limits: server.Limits{
			MessageBytes: 1 << 20, ReceiveQueue: 256, SendQueueBytes: 1 << 20, SlowReader: "close", MailboxBytes: 4 << 20,
			HandshakeTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, ReceiveGrace: 10 * time.Second, ReceiveRate: 256, CloseTimeout: 5 * time.Second, PingInterval: 25 * time.Second, ClaimTimeout: time.Minute,
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
		"addr": "file:1", "message-bytes": 1, "ping-interval": "1s", "open": true, "origin": ["https://a.example", "https://b.example"], "receive-queue": 16,
		"data": "file", "durability": "process", "data-bytes": 4096, "keep": ["user:* age=7d", "group:a; b"]
	}`)
	t.Setenv("PARLEY_CONFIG", name)
	t.Setenv("PARLEY_ADDR", "env:2")
	t.Setenv("PARLEY_MESSAGE_BYTES", "2")
	t.Setenv("PARLEY_LOG_LEVEL", "debug")
	t.Setenv("PARLEY_DATA", "env")
	got := parse(t, "--addr", "flag:3", "--write-timeout=3s")
	want := server.Config{
		Addr: "flag:3", Open: true, Origins: []string{"https://a.example", "https://b.example"},
		ShutdownTimeout: 10 * time.Second, LogFormat: "auto", LogLevel: slog.LevelDebug,
		Storage: server.Storage{Data: "env", Durability: "process", DataBytes: 4096, Keep: []string{"user:* age=7d", "group:a; b"}},
		Limits: server.Limits{
			MessageBytes: 2, ReceiveQueue: 16, SendQueueBytes: 1 << 20, SlowReader: "close", MailboxBytes: 4 << 20,
			HandshakeTimeout: 10 * time.Second, WriteTimeout: 3 * time.Second, ReceiveGrace: 10 * time.Second, ReceiveRate: 256, CloseTimeout: 5 * time.Second, PingInterval: time.Second, ClaimTimeout: time.Minute,
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestRepeatableFlags(t *testing.T) {
	origins, rules := []string{"https://a.example", "https://b.example"}, []string{"user:* age=7d", "group:a,b"}
	got := parse(t, "--origin", origins[0], "--origin", origins[1], "--keep", rules[0], "--keep", rules[1])
	if !reflect.DeepEqual(got.Origins, origins) || !reflect.DeepEqual(got.Keep, rules) {
		t.Errorf("got %q and %q", got.Origins, got.Keep)
	}
	t.Setenv("PARLEY_KEEP", strings.Join(rules, ";"))
	if got := parse(t).Keep; !reflect.DeepEqual(got, rules) {
		t.Errorf("got %q of the environment", got)
	}
}
