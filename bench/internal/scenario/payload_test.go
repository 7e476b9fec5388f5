package scenario

import (
	"encoding/json"
	"testing"

	"github.com/parley-rt/parley/bench/internal/dialect"
)

func TestTextMessage(t *testing.T) {
	t.Parallel()
	m := textMessage(128)
	if got := len(m.with(7)); got != 128 {
		t.Errorf("got %d bytes, want 128", got)
	}
	for _, n := range []int{0, 1, 9876543210} {
		for _, d := range []dialect.Dialect{dialect.Plain{}, dialect.SocketIO{}} {
			if got, ok := number(d.Append(nil, m.with(n))); !ok || got != n {
				t.Errorf("%T: got %d, %v; want %d", d, got, ok, n)
			}
		}
	}
}

func TestUserMessage(t *testing.T) {
	t.Parallel()
	text := userMessage("u17", 128).with(1234567)
	if len(text) != 128 {
		t.Errorf("got %d bytes, want 128", len(text))
	}
	var message struct {
		Message string `json:"message"`
		ToUser  string `json:"to_user"`
	}
	if err := json.Unmarshal(text, &message); err != nil {
		t.Fatal(err)
	}
	if got, ok := number([]byte(message.Message)); message.ToUser != "u17" || !ok || got != 1234567 {
		t.Errorf("got %+v", message)
	}
}

func TestNumberOfOtherTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", probe, "@", "@123", "@12345678x0"} {
		if n, ok := number([]byte(text)); ok {
			t.Errorf("%q holds number %d", text, n)
		}
	}
}
