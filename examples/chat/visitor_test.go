package main

import (
	"context"
	"net/http"
	"reflect"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newChat(t *testing.T) http.Handler {
	hub := parley.NewHub(nil)
	t.Cleanup(func() {
		if err := hub.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("closing the hub: %v", err)
		}
	})
	return routes(hub)
}

// expect receives an event.
func expect(t *testing.T, c *parleytest.Communicator, want event) {
	t.Helper()
	var got event
	if c.ReceiveJSON(&got); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTalk(t *testing.T) {
	t.Parallel()
	chat := newChat(t)
	alice := parleytest.Dial(t, chat, "/ws/kitchen/?name=alice", nil)
	expect(t, alice, event{Event: "joined", Name: "alice"})
	bob := parleytest.Dial(t, chat, "/ws/kitchen/?name=bob", nil)
	elsewhere := parleytest.Dial(t, chat, "/ws/cellar/?name=carol", nil)
	expect(t, elsewhere, event{Event: "joined", Name: "carol"})
	for _, c := range []*parleytest.Communicator{alice, bob} {
		expect(t, c, event{Event: "joined", Name: "bob"})
	}
	alice.SendJSON(request{Say: " tea? "})
	for _, c := range []*parleytest.Communicator{alice, bob} {
		expect(t, c, event{Event: "said", Name: "alice", Text: "tea?"})
	}
	elsewhere.ReceiveNothing()
}

func TestWhoIsHere(t *testing.T) {
	t.Parallel()
	chat := newChat(t)
	bob := parleytest.Dial(t, chat, "/ws/kitchen/?name=bob", nil)
	expect(t, bob, event{Event: "joined", Name: "bob"})
	alice := parleytest.Dial(t, chat, "/ws/kitchen/?name=alice", nil)
	expect(t, bob, event{Event: "joined", Name: "alice"})
	bob.SendJSON(request{Who: true})
	expect(t, bob, event{Event: "here", Names: []string{"alice", "bob"}})
	alice.Cut()
	expect(t, bob, event{Event: "left", Name: "alice"})
	bob.SendJSON(request{Who: true})
	expect(t, bob, event{Event: "here", Names: []string{"bob"}})
}

func TestNonsense(t *testing.T) {
	t.Parallel()
	chat := newChat(t)
	alice := parleytest.Dial(t, chat, "/ws/kitchen/?name=alice", nil)
	expect(t, alice, event{Event: "joined", Name: "alice"})
	for _, message := range []string{`{"say":" "}`, "tea?", `{"say":1}`} {
		var got struct{ Error parley.Error }
		alice.Send(message)
		if alice.ReceiveJSON(&got); got.Error.Code != parley.BadRequest {
			t.Errorf("%s: got %+v", message, got)
		}
	}
}

func TestNobody(t *testing.T) {
	t.Parallel()
	chat := newChat(t)
	for path, want := range map[string]int{
		"/ws/kitchen/":          http.StatusBadRequest,
		"/ws/kitchen/?name=%20": http.StatusBadRequest,
		"/ws/a/b/?name=alice":   http.StatusNotFound,
	} {
		if got := parleytest.DialRefused(t, chat, path, nil); got.Status != want {
			t.Errorf("%s: got %+v, want %d", path, got, want)
		}
	}
}
