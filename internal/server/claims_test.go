package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/server"
	"github.com/parley-rt/parley/parleytest"
)

// keeping is a server that keeps by one rule for users.
func keeping(rule string) server.Config {
	return server.Config{Storage: server.Storage{Keep: []string{"user:* " + rule}}}
}

// sendAll sends bob messages and waits until all are accepted.
func sendAll(t *testing.T, alice *parleytest.Communicator, from, until int) {
	t.Helper()
	for n := from; n < until; n++ {
		alice.Send(text(n))
	}
	for range until - from {
		if got := alice.Receive(); !strings.Contains(got, `{"ack":`) {
			t.Fatalf("got %s", got)
		}
	}
}

// TestConnectedReaderMissesNothing has a user read after many more messages came than
// the rule keeps.
func TestConnectedReaderMissesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, keeping("messages=10"))
	bob, alice := s.dial("/ws/bob/"), s.dial("/ws/alice/?ack=1")
	sendAll(t, alice, 0, 1000)
	for n := range 1000 {
		if got := bob.Receive(); got != text(n) {
			t.Fatalf("got %s, want %s", got, text(n))
		}
	}
}

// TestDevicesByQuery gives each device its own place, and refuses what names none.
func TestDevicesByQuery(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	alice := s.dial("/ws/alice/?ack=1")
	const phonePath, laptopPath = "/ws/bob/?device=phone", "/ws/bob?ack=1&device=lap%20top"
	phone, laptop := s.dial(phonePath), s.dial(laptopPath)
	sendAll(t, alice, 0, 5)
	for _, c := range []*parleytest.Communicator{phone, laptop} {
		for n := range 5 {
			if got := c.Receive(); got != text(n) {
				t.Fatalf("got %s", got)
			}
		}
		c.ReceiveNothing()
	}
	phone.Close(parley.CloseNormal)
	sendAll(t, alice, 5, 6)
	if got := laptop.Receive(); got != text(5) {
		t.Fatalf("got %s", got)
	}
	laptop.ReceiveNothing()
	laptop.Close(parley.CloseNormal)
	if got := s.dial(phonePath).Receive(); got != text(5) {
		t.Errorf("the phone got %s", got)
	}
	s.dial(laptopPath).ReceiveNothing()
	for _, query := range []string{"device=", "device", "device=a&device=b", "device=" + strings.Repeat("x", 201), "device=%00"} {
		if got := s.handshake("/ws/bob/?" + query); got.status != http.StatusBadRequest || !strings.Contains(got.body, "bad_request: ") {
			t.Errorf("%s: %+v", query, got)
		}
	}
}

// handshake asks for an upgrade that is to be refused.
func (r *running) handshake(path string) response {
	r.t.Helper()
	return r.do(http.MethodGet, r.url(path), "", map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	})
}

// TestSharedDeviceLosesNothing has two tabs without a device, one of which is lost
// before it took anything.
func TestSharedDeviceLosesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	alice := s.dial("/ws/alice/?ack=1")
	lost, stays := s.silent("/ws/bob/"), s.dial("/ws/bob/")
	sendAll(t, alice, 0, 5)
	for n := range 5 {
		if got := stays.Receive(); got != text(n) {
			t.Fatalf("got %s", got)
		}
	}
	stays.ReceiveNothing()
	_ = lost.Close()
	again := s.dial("/ws/bob/")
	for n := range 5 {
		if got := again.Receive(); got != text(n) {
			t.Fatalf("got %s", got)
		}
	}
}

// TestMissedIsTold trims an inbox while its user is away.
func TestMissedIsTold(t *testing.T) {
	t.Parallel()
	s := start(t, keeping("messages=10"))
	alice, bob := s.dial("/ws/alice/?ack=1"), s.dial("/ws/bob/")
	sendAll(t, alice, 0, 1)
	bob.Receive()
	bob.ReceiveNothing()
	bob.Close(parley.CloseNormal)
	s.untilAway("bob", alice)
	sendAll(t, alice, 1, 200)
	bob = s.dial("/ws/bob/")
	var told struct{ Missed struct{ Messages int } }
	if err := json.Unmarshal([]byte(bob.Receive()), &told); err != nil || told.Missed.Messages < 180 {
		t.Fatalf("told %+v, %v", told, err)
	}
	for n := 1 + told.Missed.Messages; n < 200; n++ {
		if got := bob.Receive(); !strings.Contains(got, `"message":`) {
			t.Fatalf("got %s", got)
		}
	}
}

// TestMissedByFirstConnection sends more than is kept to somebody who never connected.
func TestMissedByFirstConnection(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/ws/bob/", "/ws/bob/?device=phone"} {
		s := start(t, keeping("messages=10"))
		sendAll(t, s.dial("/ws/alice/?ack=1"), 0, 200)
		var told struct{ Missed struct{ Messages int } }
		if err := json.Unmarshal([]byte(s.dial(path).Receive()), &told); err != nil || told.Missed.Messages < 100 {
			t.Errorf("%s is told %+v, %v", path, told, err)
		}
	}
}

// TestDevicesAreBounded connects one device more than a user may have.
func TestDevicesAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t, keeping("messages=10"))
	for i := range parley.MaxCursors {
		c := s.dial(fmt.Sprintf("/ws/bob/?device=%d", i))
		c.Ping() // it is known
	}
	c := s.dial("/ws/bob/?device=more")
	if code, reason := c.CloseCode(), c.CloseReason(); code != parley.ClosePolicyViolation || !strings.Contains(reason, "64 devices") {
		t.Errorf("one more is closed with %d %q", code, reason)
	}
	s.dial("/ws/bob/").Ping()
}

// untilAway sends to a user until that user is away, and counts on nothing else.
func (r *running) untilAway(name string, by *parleytest.Communicator) {
	r.t.Helper()
	for {
		by.Send(fmt.Sprintf(`{"message":"are you there","to_user":%q}`, name))
		if got := by.Receive(); strings.Contains(got, `"kept"`) {
			return
		}
	}
}

// TestFullInboxRefuses tells people and programs that an inbox is full, and that a
// device stopped acknowledging.
func TestFullInboxRefuses(t *testing.T) {
	t.Parallel()
	cfg := keeping("messages=5 bytes=2000")
	cfg.ClaimTimeout = 100 * time.Millisecond
	s := start(t, cfg)
	bob, alice := s.silent("/ws/bob/"), s.dial("/ws/alice/?ack=1")
	sent, got := 0, ""
	for ; sent < 1000; sent++ {
		alice.Send(text(sent))
		if got = alice.Receive(); !strings.Contains(got, `"ack"`) {
			break
		}
	}
	if want := `{"error":{"code":"unavailable","message":"the inbox is full until its connected devices acknowledge messages","to_user":"bob"}}`; got != want {
		t.Fatalf("message %d: got %s", sent, got)
	}
	if got := s.send(`{"to":"user:bob","data":1}`); got.status != http.StatusServiceUnavailable && got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	for s.send(`{"to":"user:bob","data":"the claim ends"}`).status != http.StatusOK {
	}
	const overdue = `{"missed":{"messages":0,"overdue":true}}`
	next, told := 0, false
	for next < sent || !told {
		switch got := readText(t, bob); got {
		case overdue:
			told = true
		default:
			if next < sent && got != text(next) {
				t.Fatalf("got %s, want %s", got, text(next))
			}
			next++
		}
	}
}

// silent connects, and answers no ping.
func (r *running) silent(path string) net.Conn {
	r.t.Helper()
	conn, early, _, err := ws.Dial(r.t.Context(), "ws"+strings.TrimPrefix(r.url(path), "http"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	if early != nil {
		r.t.Fatal("the server spoke first")
	}
	return conn
}

// readText returns the next text that a silent connection is sent.
func readText(t *testing.T, conn net.Conn) string {
	t.Helper()
	for {
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		h, err := ws.ReadHeader(conn)
		if err != nil || h.Length > 1<<20 {
			t.Fatalf("a frame of %d bytes, %v", h.Length, err)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(conn, payload); err != nil {
			t.Fatal(err)
		}
		switch h.OpCode {
		case ws.OpText:
			return string(payload)
		case ws.OpClose:
			t.Fatalf("closed: %q", payload)
		}
	}
}
