package dialect_test

import (
	"testing"

	"github.com/parley-rt/parley/bench/internal/dialect"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	var d dialect.Plain
	if got := d.Path(""); got != "/ws/" {
		t.Errorf("everyone is at %q", got)
	}
	if got := d.Path("ann"); got != "/ws/ann/" {
		t.Errorf("a user is at %q", got)
	}
	if got := string(d.Append([]byte("<"), []byte("hi"))); got != "<hi" {
		t.Errorf("appended to %q", got)
	}
	if kind, reply := d.Classify([]byte("2")); kind != dialect.Message || reply != nil {
		t.Errorf("got kind %d, reply %q", kind, reply)
	}
}

func TestMounted(t *testing.T) {
	t.Parallel()
	if got := (dialect.Mounted{Prefix: "/named/"}).Path("ann"); got != "/named/ann" {
		t.Errorf("a user is at %q", got)
	}
}

func TestSocketIOWrapsMessages(t *testing.T) {
	t.Parallel()
	var d dialect.SocketIO
	tests := map[string]string{
		"hi":                `42["message","hi"]`,
		`{"to_user":"ann"}`: `42["message",{"to_user":"ann"}]`,
	}
	for message, want := range tests {
		if got := string(d.Append(nil, []byte(message))); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSocketIOClassifies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		packet string
		kind   dialect.Kind
		reply  string
	}{
		{`0{"sid":"x"}`, dialect.Control, "40"},
		{`40{"sid":"y"}`, dialect.Ready, ""},
		{"2", dialect.Control, "3"},
		{`42["message","hi"]`, dialect.Message, ""},
		{`44{"message":"no"}`, dialect.Control, ""},
		{"4", dialect.Control, ""},
		{"6", dialect.Control, ""},
		{"", dialect.Control, ""},
	}
	for _, test := range tests {
		kind, reply := dialect.SocketIO{}.Classify([]byte(test.packet))
		if kind != test.kind || string(reply) != test.reply {
			t.Errorf("%q: got kind %d, reply %q; want %d, %q", test.packet, kind, reply, test.kind, test.reply)
		}
	}
}
