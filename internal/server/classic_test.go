package server_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/server"
	"github.com/parley-rt/parley/parleytest"
)

func TestEveryoneGetsWhatOneSends(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	sender, other, person := s.dial("/ws/"), s.dial("/ws"), s.dial("/ws/bob/")
	for _, text := range []string{"hello", "", `{"to_user":"bob"}`, "not {json", "héllo 🦜"} {
		sender.Send(text)
		for _, c := range []*parleytest.Communicator{sender, other} {
			if got := c.Receive(); got != text {
				t.Errorf("got %q, want %q", got, text)
			}
		}
	}
	data := []byte{0, 0xff, 0xfe, '{'}
	sender.SendBinary(data)
	for _, c := range []*parleytest.Communicator{sender, other} {
		if got := c.ReceiveBinary(); !bytes.Equal(got, data) {
			t.Errorf("got %x, want %x", got, data)
		}
	}
	person.ReceiveNothing()
}

// TestReservedGroup has users named as the group of /ws/ is, and as everyone.
func TestReservedGroup(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	all := s.dial("/ws/")
	users := []*parleytest.Communicator{s.dial("/ws/%2Fws%2F/"), s.dial("/ws/everyone/"), s.dial("/ws/group%3A%2Fws%2F/")}
	all.Send("for all")
	all.Receive()
	for _, user := range users {
		user.ReceiveNothing()
	}
	users[0].Send(`{"to_user":"everyone","message":1}`)
	users[1].Receive()
	all.ReceiveNothing()
}

func TestPersonGetsTheSameText(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	alice, bob, bobsPhone, carol := s.dial("/ws/alice/"), s.dial("/ws/bob/"), s.dial("/ws/bob"), s.dial("/ws/carol/")
	for _, text := range []string{
		`{"message":"hello","to_user":"bob"}`,
		` { "to_user" : "bob" , "message":{"deep":[1,2.50]}, "unknown": null } `,
		`{"to_user":"b\u006fb"}`,
		`{"to\u005fuser":"bob","To_User":"carol"}`,
	} {
		alice.Send(text)
		for _, c := range []*parleytest.Communicator{bob, bobsPhone} {
			if got := c.Receive(); got != text {
				t.Errorf("got %q, want %q", got, text)
			}
		}
	}
	alice.ReceiveNothing()
	carol.ReceiveNothing()
	alice.Send(`{"to_user":"bob","message":1,"to\u005fuser":"carol"}`)
	if got := alice.Receive(); !strings.Contains(got, "to_user is there twice") {
		t.Errorf("told %q", got)
	}
	bob.ReceiveNothing()
	carol.ReceiveNothing()
}

func TestPersonMaySendToItself(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	here, there := s.dial("/ws/bob/"), s.dial("/ws/bob/")
	here.Send(`{"message":1,"to_user":"bob"}`)
	if got := here.Receive(); got != there.Receive() {
		t.Errorf("got %q, and something else on the other connection", got)
	}
}

func TestAck(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	alice, bob := s.dial("/ws/alice/?ack=1"), s.dial("/ws/bob/?ack=0")
	alice.Send(`{"message":"hello","to_user":"bob"}`)
	if got, want := alice.Receive(), `{"ack":{"to_user":"bob","state":"sent"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	bob.Receive()
	bob.Send(`{"message":"hello","to_user":"alice"}`)
	alice.Receive()
	bob.ReceiveNothing()
}

func TestNobodyOfThatName(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Storage: nothingKept})
	want := `{"error":{"code":"not_found","message":"nobody of that name is connected","to_user":"bob"}}`
	for _, path := range []string{"/ws/alice/", "/ws/alice/?ack=1"} {
		alice := s.dial(path)
		alice.Send(`{"message":"hello","to_user":"bob"}`)
		if got := alice.Receive(); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestForgottenOnceClosed(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Storage: nothingKept})
	alice, bob, bobsPhone := s.dial("/ws/alice/?ack=1"), s.dial("/ws/bob/"), s.dial("/ws/bob/")
	state := func() string {
		var told struct {
			Ack   struct{ State string }
			Error struct{ Code string }
		}
		alice.SendJSON(map[string]any{"message": 1, "to_user": "bob"})
		alice.ReceiveJSON(&told)
		return told.Ack.State + told.Error.Code
	}
	bob.Close(parley.CloseNormal)
	if got := state(); got != "sent" {
		t.Errorf("with one of two connections: %s", got)
	}
	bobsPhone.Receive()
	bobsPhone.Cut()
	for range 1000 { // the server may hear of it after the next message
		if state() == "not_found" {
			return
		}
	}
	t.Error("a connection that was cut is not forgotten")
}

func TestBadMessagesAreAnswered(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	alice, bob := s.dial("/ws/alice/"), s.dial("/ws/bob/")
	answer := func(of string) {
		t.Helper()
		var told struct {
			Error struct{ Code, Message string }
		}
		alice.ReceiveJSON(&told)
		if told.Error.Code != "bad_request" || told.Error.Message == "" {
			t.Errorf("%s: got %+v", of, told)
		}
	}
	for _, text := range []string{
		"", "hello", "{", `{"to_user":"bob"`, `{"to_user":"bob"} x`, "null", "17", `"bob"`, `["bob"]`,
		"{}", `{"message":1}`, `{"To_User":"bob"}`, `{"TO_USER":"bob"}`, `{"a":{"to_user":"bob"}}`,
		`{"to_user":null}`, `{"to_user":7}`, `{"to_user":["bob"]}`, `{"to_user":{"bob":1}}`, `{"to_user":"bob","to_user":7}`,
		`{"to_user":""}`, `{"to_user":"a\u0000b"}`,
	} {
		alice.Send(text)
		answer(text)
	}
	alice.SendBinary([]byte(`{"to_user":"bob"}`))
	answer("binary")
	alice.Send(`{"to_user":"bob","message":"still here"}`)
	bob.Receive()
	bob.ReceiveNothing()
}
