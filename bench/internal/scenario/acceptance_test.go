package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
)

// acceptanceOf returns two senders, with Index 1 and 2, who have sent three messages each to two users, of whom the first is connected,
// with Index 0, and the other will be, with Index 3; without a network.
func acceptanceOf(t *testing.T) *acceptance {
	t.Helper()
	loop, err := load.New(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
	})
	senders := []*load.Conn{{Index: 1}, {Index: 2}}
	a := newAcceptance(loop, senders, 4, 2, 1)
	a.free = nil
	for i := range a.senders {
		a.senders[i].sent = 3
	}
	a.sent, a.owed, a.users[0].owed, a.users[1].owed = 6, 3, 3, 3
	return a
}

// tell is what the connection with an index gets.
func (a *acceptance) tell(index int, text string) { a.Message(&load.Conn{Index: index}, []byte(text)) }

func sentBy(sender, n int) string {
	return string(userMessage("any", 64).with(sender*perPublisher + n))
}

func TestAcceptanceReleasesItsSender(t *testing.T) {
	t.Parallel()
	a := acceptanceOf(t)
	a.tell(2, `{"ack":{"to_user":"u1","state":"kept"}}`)
	a.tell(2, `{"ack":{"to_user":"u0","state":"sent"}}`)
	if a.failure != nil || len(a.free) != 2 || a.free[0] != 1 || a.arrived != 2 {
		t.Errorf("%v, %v may send, %d accepted", a.failure, a.free, a.arrived)
	}
	a.tell(2, `{"ack":{"to_user":"u0","state":"kept"}}`)
	if a.failure == nil || !strings.Contains(a.failure.Error(), "sender 1 was told") {
		t.Errorf("acceptance of another message: %v", a.failure)
	}
}

func TestRefusalEndsAcceptance(t *testing.T) {
	t.Parallel()
	a := acceptanceOf(t)
	a.tell(1, `{"error":{"code":"unavailable","message":"no room","to_user":"u0"}}`)
	if a.failure == nil || !strings.Contains(a.failure.Error(), "no room") {
		t.Errorf("got %v", a.failure)
	}
}

func TestAcceptanceChecksEachSendersOrder(t *testing.T) {
	t.Parallel()
	a := acceptanceOf(t)
	a.tell(0, sentBy(0, 0))
	a.tell(0, sentBy(0, 2))
	a.tell(0, sentBy(0, 0))
	if a.lost != 0 || a.repeated != 1 || a.owed != 1 {
		t.Errorf("%d lost, %d repeated, %d owed", a.lost, a.repeated, a.owed)
	}
	a.tell(3, sentBy(1, 2))
	if a.lost != 1 || a.users[1].owed != 1 {
		t.Errorf("a message was left out: %d lost, %d owed", a.lost, a.users[1].owed)
	}
	a.tell(0, sentBy(0, 4))
	if a.failure == nil || !strings.Contains(a.failure.Error(), "unexpected") {
		t.Errorf("a message that was not sent: %v", a.failure)
	}
}
