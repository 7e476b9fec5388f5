package parley_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rt/parley"
)

// latin1 is text of another encoding: no UTF-8.
const latin1 = "caf\xe9"

// wantRefused holds an error to be BadRequest, to say what was wrong, and to fit a
// close frame.
func wantRefused(t *testing.T, what string, err error, says ...string) {
	t.Helper()
	told, ok := errors.AsType[*parley.Error](err)
	if !ok || told.Code != parley.BadRequest || len(told.Message) > 123 {
		t.Errorf("%s: got %v, want a short bad_request", what, err)
		return
	}
	for _, s := range says {
		if !strings.Contains(told.Message, s) {
			t.Errorf("%s: %q does not say %q", what, told.Message, s)
		}
	}
}

// TestInvalidTextIsRefused gives every way to send text that is not UTF-8, to
// addresses that are kept and that are not. None of it arrives; binary data does.
func TestInvalidTextIsRefused(t *testing.T) {
	t.Parallel()
	onWraps(t, engines, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		hub := k.hub(t, nil)
		m := newMail(t, k, hub, wrap)
		var conn *parley.Conn
		w := m.connects(t, func(c *parley.Conn) error {
			conn = c
			wantRefused(t, "Reply within Connect", c.Reply(parley.Text(latin1)), "byte 3", "Binary")
			wantRefused(t, "Send within Connect", c.Send(t.Context(), parley.User("bob"), parley.Text(latin1)))
			return errors.Join(c.Identify("bob", nil), c.Join(parley.Group("g"), nil))
		})
		w.quiet()
		for _, to := range []parley.Address{parley.User("bob"), parley.Group("g")} {
			for by, send := range map[string]sending{"Hub.Send": hub.Send, "Conn.Send": conn.Send} {
				wantRefused(t, by, send(t.Context(), to, parley.Text(latin1)), "byte 3", "UTF-8", "Binary")
			}
			for by, send := range map[string]sendingAsync{"Hub.SendAsync": hub.SendAsync, "Conn.SendAsync": conn.SendAsync} {
				done, results := collect(1)
				send(to, parley.Text(latin1), done)
				wantRefused(t, by, await(t, results, by).err, "byte 3")
			}
		}
		wantRefused(t, "Reply", conn.Reply(parley.Text(latin1)), "byte 3")
		w.quiet()
		if err := hub.Send(t.Context(), parley.User("bob"), parley.Message{Binary: true, Data: []byte(latin1)}); err != nil {
			t.Fatal(err)
		}
		w.expectMessage(`binary "caf\xe9"`)
	})
}

// TestInvalidTextIsSentCompressed refuses it before it is compressed.
func TestInvalidTextIsSentCompressed(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Compression: true})
	replies := make(chan error, 1)
	s := newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{receive: func(c *parley.Conn, m parley.Message) error {
			replies <- c.Reply(parley.Text(strings.Repeat("a", 300) + latin1))
			return c.Reply(m)
		}}
	})
	s.deflates = true
	w := s.open(t)
	w.send(text("fine"))
	wantRefused(t, "Reply", await(t, replies, "a reply"), "byte 303")
	w.expect(`text "fine"`)
}

// spoiler is an Encoder whose text is no UTF-8 where the message begins with a "!".
type spoiler struct{ consumer }

func (spoiler) Encode(m parley.Message) (parley.Message, error) {
	if strings.HasPrefix(string(m.Data), "!") {
		return parley.Text(latin1), nil
	}
	return m, nil
}

// TestEncoderOfInvalidText treats it as what cannot be encoded: it is logged, not
// sent, and counted once, however many connections and readings it was for.
func TestEncoderOfInvalidText(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		hub := newHub(t, &parley.Options{Logger: textLogger(&log)})
		conns := make(chan *parley.Conn, 8)
		handler := hub.Handler(func() parley.Consumer {
			return spoiler{consumer{connect: func(c *parley.Conn) error {
				conns <- c
				return errors.Join(joinEveryone(c), c.Identify("bob", nil))
			}}}
		})
		var wires []*wire
		connect := func() {
			w, _ := pipe(t, handler)
			wires = append(wires, w)
			synctest.Wait()
		}
		send := func(to parley.Address, texts ...string) {
			for _, m := range texts {
				if err := hub.Send(t.Context(), to, parley.Text(m)); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		counted := func(want int) {
			t.Helper()
			logged := strings.Count(log.String(), "not encoded")
			if n := hub.Stats().Undeliverable; n != int64(want) || logged != want {
				t.Errorf("%d are counted and %d logged, want %d: %s", n, logged, want, log.String())
			}
		}
		send(parley.User("bob"), "!kept for later", "first")
		counted(0) // nobody was to get it yet
		for range 3 {
			connect()
		}
		for _, w := range wires {
			w.expectMessage(`text "first"`)
		}
		counted(1) // though each of the three reads it
		send(parley.User("bob"), "!live", "second")
		send(parley.Everyone, "!not kept", "third")
		for _, w := range wires {
			w.expectMessage(`text "second"`)
			w.expectMessage(`text "third"`)
		}
		counted(3)
		wantRefused(t, "Reply", (<-conns).Reply(parley.Text("!")), "byte 3")
		counted(3) // the program was told
	})
}

// TestInvalidSender refuses a From that is nobody's address.
func TestInvalidSender(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	for _, from := range []parley.Address{parley.User(latin1), parley.User(""), parley.Group("a\n"), parley.User(strings.Repeat("n", 201))} {
		m := parley.Text("hello")
		m.From = from
		for _, to := range []parley.Address{parley.User("bob"), parley.Group("g")} {
			wantRefused(t, "Send", hub.Send(t.Context(), to, m), "From")
			done, results := collect(1)
			hub.SendAsync(to, m, done)
			wantRefused(t, "SendAsync", await(t, results, "done").err, "From")
		}
	}
	for _, from := range []parley.Address{{}, parley.Everyone, parley.Group("g"), parley.User("ann")} {
		m := parley.Text("hello")
		m.From = from
		if err := hub.Send(t.Context(), parley.User("bob"), m); err != nil {
			t.Errorf("from %s: %v", from, err)
		}
	}
}

// TestJSONMessage encodes text as it is: nothing of it grows.
func TestJSONMessage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of   any
		want string
	}{
		{"<b>&</b>", `"<b>&</b>"`},
		{map[string]any{"<": json.RawMessage(`{"a": "<&>"}`)}, `{"<":{"a":"<&>"}}`},
		{latin1, `"caf\ufffd"`},
		{nil, "null"},
	} {
		if m, err := parley.JSONMessage(c.of); err != nil || m.Binary || string(m.Data) != c.want {
			t.Errorf("%v: got %s, %v, want %s", c.of, m.Data, err, c.want)
		}
	}
	_, err := parley.JSONMessage(json.RawMessage(`"` + latin1 + `"`))
	wantRefused(t, "JSONMessage", err, "byte 4")
	if m, err := parley.JSONMessage(func() {}); err == nil {
		t.Errorf("a function is encoded as %s", m.Data)
	}
}

// TestSubprotocolsAreTokens panics at what no client can ask for, or would break the
// answer to its handshake.
func TestSubprotocolsAreTokens(t *testing.T) {
	t.Parallel()
	for name, sound := range map[string]bool{
		"chat": true, "v1.chat~_!#$%&'*+-.^`|": true,
		"": false, latin1: false, "é": false, "a b": false, "a,b": false, "a\r\nX: y": false, `"a"`: false, "a/b": false,
	} {
		panicked := func() (v any) {
			defer func() { v = recover() }()
			newHub(t, nil).Handler(newEcho, "fine", name)
			return nil
		}()
		if (panicked == nil) != sound {
			t.Errorf("%q: panicked with %v", name, panicked)
		}
	}
}
