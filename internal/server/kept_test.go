package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/server"
)

// text is what alice sends bob.
func text(n int) string { return fmt.Sprintf(`{"message":%d,"to_user":"bob"}`, n) }

// TestMessagesWait has a user who was never seen get what was sent, in order,
// from people and from a program, and live messages behind it.
func TestMessagesWait(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	alice := s.dial("/ws/alice/?ack=1")
	for n := range 100 {
		alice.Send(text(n))
	}
	for range 100 {
		if got := alice.Receive(); got != `{"ack":{"to_user":"bob","state":"kept"}}` {
			t.Fatalf("got %s", got)
		}
	}
	if got := s.send(`{"to":"user:bob","data":100}`); got.status != http.StatusOK || strings.TrimSpace(got.body) != `{"state":"kept"}` {
		t.Errorf("%+v", got)
	}
	bob := s.dial("/ws/bob/")
	for n := range 100 {
		if got := bob.Receive(); got != text(n) {
			t.Fatalf("got %s, want %s", got, text(n))
		}
	}
	wantEnvelope(t, bob.Receive(), "100")
	alice.Send(text(101))
	if got := bob.Receive(); got != text(101) {
		t.Errorf("got %s", got)
	}
	if got := alice.Receive(); got != `{"ack":{"to_user":"bob","state":"sent"}}` {
		t.Errorf("got %s", got)
	}
	bob.ReceiveNothing()
}

// TestAcknowledgedOnce has bob answer the ping that follows his messages: they
// do not come again, and what comes later does.
func TestAcknowledgedOnce(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	sendKept(t, s, `{"to":"user:bob","data":1}`)
	bob := s.dial("/ws/bob/")
	bob.Receive()
	bob.ReceiveNothing() // the communicator answered the ping that came meanwhile
	bob.Close(parley.CloseNormal)
	sendKept(t, s, `{"to":"user:bob","data":2}`)
	again := s.dial("/ws/bob/")
	wantEnvelope(t, again.Receive(), "2")
	again.ReceiveNothing()
}

// sendKept sends to somebody who is not there, perhaps not any more: the state may
// still be that of the moment before.
func sendKept(t *testing.T, s *running, body string) {
	t.Helper()
	if got := s.send(body); got.status != http.StatusOK {
		t.Fatalf("%+v", got)
	}
}

// TestOnlySomeAreKept has a rule for some users, and one that leaves it to the
// sender.
func TestOnlySomeAreKept(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Storage: server.Storage{Keep: []string{"user:vip-*", "user:b* optional"}}})
	for _, tt := range []struct{ body, want string }{
		{`{"to":"user:vip-1","data":1}`, "kept"},
		{`{"to":"user:vip-1","data":1,"keep":true}`, "kept"},
		{`{"to":"user:vip-1","data":1,"keep":false}`, "not_found"},
		{`{"to":"user:bob","data":1}`, "not_found"},
		{`{"to":"user:bob","data":1,"keep":false}`, "not_found"},
		{`{"to":"user:bob","data":1,"keep":true}`, "kept"},
		{`{"to":"user:carol","data":1}`, "not_found"},
		{`{"to":"user:carol","data":1,"keep":true}`, "bad_request"},
		{`{"to":"user:carol","data":1,"keep":false}`, "not_found"},
	} {
		if got := s.send(tt.body); !strings.Contains(got.body, `"`+tt.want+`"`) {
			t.Errorf("%s: got %d %s", tt.body, got.status, got.body)
		}
	}
	alice := s.dial("/ws/alice/")
	alice.Send(text(2))
	if got := alice.Receive(); !strings.Contains(got, "not_found") {
		t.Errorf("got %s", got)
	}
	wantEnvelope(t, s.dial("/ws/bob/").Receive(), "1")
}

// TestOpenServerKeepsNothing has one keep inboxes only where it is told to.
func TestOpenServerKeepsNothing(t *testing.T) {
	t.Parallel()
	open := start(t, server.Config{Open: true})
	wantProblem(t, open.send(`{"to":"user:bob","data":1}`), http.StatusNotFound, "not_found")
	told := start(t, server.Config{Open: true, Storage: server.Storage{Keep: []string{"user:*"}}})
	sendKept(t, told, `{"to":"user:bob","data":1}`)
	wantEnvelope(t, told.dial("/ws/bob/").Receive(), "1")
}

// TestKeys has a program send again what it does not know to have arrived.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	for range 3 {
		sendKept(t, s, `{"to":"user:bob","data":1,"key":"order 1"}`)
	}
	wantProblem(t, s.send(`{"to":"user:bob","data":2,"key":"order 1"}`), http.StatusConflict, "conflict")
	wantProblem(t, s.send(`{"to":"everyone","data":2,"key":"order 1"}`), http.StatusBadRequest, "bad_request")
	for _, bad := range []string{`"key":""`, `"key":7`, `"key":null`, `"keep":null`, `"keep":1`, `"keep":"true"`} {
		wantProblem(t, s.send(`{"to":"user:bob","data":2,`+bad+`}`), http.StatusBadRequest, "bad_request")
	}
	bob := s.dial("/ws/bob/")
	wantEnvelope(t, bob.Receive(), "1")
	bob.ReceiveNothing()
}

// TestBroadcastIsNeverKept has a rule for all groups: /ws/ needs no disk.
func TestBroadcastIsNeverKept(t *testing.T) {
	t.Parallel()
	layer := newTestLayer()
	s := startOn(t, server.Config{Storage: server.Storage{Keep: []string{"group:*"}}}, layer)
	all := s.dial("/ws/")
	all.Send("hello")
	all.Receive()
	sendKept(t, s, `{"to":"group:/ws/","data":1}`)
	all.Receive()
	if n := layer.appends.Load(); n > 0 {
		t.Errorf("%d messages were kept", n)
	}
	sendKept(t, s, `{"to":"group:room","data":1}`)
	if n := layer.appends.Load(); n != 1 {
		t.Errorf("%d messages were kept, want that of the room", n)
	}
}

// TestAnswersKeepTheirOrder has the messages to carol be safe before the one to
// bob, and a bad one in between.
func TestAnswersKeepTheirOrder(t *testing.T) {
	t.Parallel()
	layer := newTestLayer()
	s := startOn(t, server.Config{}, layer)
	alice := s.dial("/ws/alice/?ack=1")
	layer.hold(parley.User("bob"))
	alice.Send(text(1))
	alice.Send(`{"to_user":"carol"}`)
	alice.Send(`nonsense`)
	alice.Send(`{"to_user":"carol"}`)
	alice.ReceiveNothing()
	layer.release(nil)
	for _, want := range []string{`"bob","state":"kept"`, `"carol","state":"kept"`, "bad_request", `"carol","state":"kept"`} {
		if got := alice.Receive(); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestManyOnTheirWay has a hundred messages of one connection wait for the disk at
// once, and its close frame for all of them.
func TestManyOnTheirWay(t *testing.T) {
	t.Parallel()
	layer := newTestLayer()
	s := startOn(t, server.Config{}, layer)
	alice := s.dial("/ws/alice/")
	layer.hold(parley.User("bob"))
	for n := range 100 {
		alice.Send(text(n))
	}
	layer.wait(100)
	closed := make(chan struct{})
	go func() {
		alice.Close(parley.CloseNormal)
		close(closed)
	}()
	s.send(`{"to":"user:carol","data":1}`) // all that came before is known
	select {
	case <-closed:
		t.Error("the close frame was answered before the messages were safe")
	default:
	}
	layer.release(nil)
	<-closed
	bob := s.dial("/ws/bob/")
	for n := range 100 {
		if got := bob.Receive(); got != text(n) {
			t.Fatalf("got %s, want %s", got, text(n))
		}
	}
}

// TestUnavailable has the store fail: each sender is told, and probes are, without
// what is no business of theirs.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	layer := newTestLayer()
	s := startOn(t, server.Config{}, layer)
	alice := s.dial("/ws/alice/")
	secret := errors.New("fsync /home/me/data: input/output error")
	full := &parley.Error{Code: parley.Unavailable, Message: "the store is full"}
	layer.hold(parley.User("bob"))
	alice.Send(text(1))
	layer.release(fmt.Errorf("%w (%w)", full, secret))
	if got, want := alice.Receive(), `{"error":{"code":"unavailable","message":"the store is full","to_user":"bob"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	layer.hold(parley.User("bob"))
	alice.Send(text(2))
	layer.release(secret)
	if got, want := alice.Receive(), `{"error":{"code":"internal","message":"internal error","to_user":"bob"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for err, want := range map[error]string{secret: "messages cannot be kept: the log says why", full: "messages cannot be kept: the store is full"} {
		layer.health.Store(&err)
		for _, path := range []string{"/healthz", "/readyz"} {
			if got := s.get(path); got.status != http.StatusServiceUnavailable || strings.TrimSpace(got.body) != want {
				t.Errorf("%s: %+v", path, got)
			}
		}
	}
	layer.health.Store(nil)
	if got := s.get("/readyz"); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	alice.Send(text(3))
	wantProblem(t, s.send(`{"to":"nobody","data":1}`), http.StatusBadRequest, "bad_request")
}
