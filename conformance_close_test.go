package parley_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestConformanceClose holds the server to RFC 6455, sections 5.5.1 and 7.
func TestConformanceClose(t *testing.T) {
	cases := []breach{
		{"5.5.1 empty close", frame(fin|opClose, ""), []string{"close"}},
		{"5.5.1 close with one byte", frame(fin|opClose, "\x03"), []string{"close 1002"}},
		{"5.5.1 close with a reason", closing(1000, "bye"), []string{"close 1000"}},
		{"5.5.1 close with the longest reason", closing(1000, long(123)), []string{"close 1000"}},
		{"5.5.1 close with a reason in UTF-8", closing(3000, "größe €"), []string{"close 3000"}},
		{"5.5.1 close with a reason that is not UTF-8", closing(1000, "\xff"), []string{"close 1007"}},
		{"5.5.1 close with a reason that is cut in a character", closing(1000, "\xe2\x82"), []string{"close 1007"}},
		{
			"5.5.1 messages before a close are answered", text("a") + frame(opText, "b") + frame(fin|opMore, "c") + closing(1001, ""),
			[]string{`text "a"`, `text "bc"`, "close 1001"},
		},
		{"5.5.1 data after a close is ignored", closing(1000, "") + text("a"), []string{"close 1000"}},
		{"5.5.1 breaches after a close are ignored", closing(1000, "") + "\xff\xff\xff", []string{"close 1000"}},
		{"5.5.1 a second close is ignored", closing(1000, "") + closing(1001, ""), []string{"close 1000"}},
		{"7.1.7 a close after a failure is ignored", frame(fin|3, "") + closing(1000, ""), []string{"close 1002"}},
	}
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		cases = append(cases, breach{fmt.Sprintf("7.4 close code %d", code), closing(code, "why"), []string{fmt.Sprintf("close %d", code)}})
	}
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 32768, 65535} {
		cases = append(cases, breach{fmt.Sprintf("7.4 close code %d", code), closing(code, "why"), []string{"close 1002"}})
	}
	conform(t, cases)
}

// leaver closes its connection when it is told to, and then tries to go on.
type leaver struct {
	parley.Base
	code chan parley.CloseCode
}

func (l leaver) Receive(c *parley.Conn, m parley.Message) error {
	if err := c.Close(parley.CloseKicked, "go"); err != nil {
		return err
	}
	return c.Reply(m)
}

func (l leaver) Disconnect(_ *parley.Conn, code parley.CloseCode) { l.code <- code }

// TestConformanceServerCloses holds a server that closes first to RFC 6455,
// sections 5.5.1 and 7.1: its close frame is its last, it takes what still
// comes until the client's, and then ends TCP.
func TestConformanceServerCloses(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		for name, rest := range map[string]string{
			"close at once":            closing(4003, ""),
			"close of another code":    closing(1000, ""),
			"messages before":          text("b") + text("c") + closing(1000, ""),
			"ping before":              ping("p") + closing(1000, ""),
			"a message that was begun": frame(opText, "b") + closing(1000, ""),
			"a breach":                 "\x81\x01b",
			"no close frame":           "",
		} {
			t.Run(k.String()+"/"+name, func(t *testing.T) {
				t.Parallel()
				l := leaver{code: make(chan parley.CloseCode, 1)}
				w := newSite(t, k.transport, k.hub(t, nil), func() parley.Consumer { return l }).open(t)
				w.send(text("a"))
				w.expect("close 4003")
				w.send(rest)
				if rest == "" {
					w.endWriting()
				}
				w.expect("eof")
				_ = w.nc.Close()
				if code := await(t, l.code, "Disconnect"); code != parley.CloseKicked {
					t.Errorf("Disconnect got %v, want %v", code, parley.CloseKicked)
				}
			})
		}
	}
}

// TestConformanceFailureEndsTCP has a client go on after it broke the protocol:
// TCP ends all the same, nothing is received any more, and the server forgets the
// connection when the client ends it (RFC 6455, section 7.1.7).
func TestConformanceFailureEndsTCP(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		for name, c := range map[string]struct {
			breach string
			code   parley.CloseCode
		}{
			"frame":       {frame(fin|rsv1|opText, "a"), parley.CloseProtocolError},
			"text":        {text("\xff"), parley.CloseInvalidData},
			"fragment":    {frame(opText, "a") + text("b"), parley.CloseProtocolError},
			"close frame": {frame(fin|opClose, "\x03"), parley.CloseProtocolError},
			"reason":      {closing(1000, "\xff"), parley.CloseInvalidData},
		} {
			t.Run(k.String()+"/"+name, func(t *testing.T) {
				t.Parallel()
				code := make(chan parley.CloseCode, 1)
				received := func(_ *parley.Conn, m parley.Message) error { t.Errorf("received %q", m.Data); return nil }
				left := func(_ *parley.Conn, c parley.CloseCode) { code <- c }
				hub := k.hub(t, &parley.Options{Limits: parley.Limits{CloseTimeout: time.Hour}})
				w := newSite(t, k.transport, hub, func() parley.Consumer { return consumer{receive: received, disconnect: left} }).open(t)
				w.send(c.breach)
				w.expect(fmt.Sprintf("close %d", c.code), "eof")
				w.send(text("b"), text("c"), closing(1002, ""), text("d"))
				_ = w.nc.Close()
				if got := await(t, code, "Disconnect"); got != c.code {
					t.Errorf("Disconnect got %v, want %v", got, c.code)
				}
			})
		}
	}
}

// TestConformanceBusyConsumer has a client close while its consumer is busy: it
// is answered all the same, at the close timeout at the latest (RFC 6455,
// section 5.5.1).
func TestConformanceBusyConsumer(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, func(t *testing.T, k kind) {
		goOn, code := make(chan bool), make(chan parley.CloseCode, 1)
		hub := k.hub(t, &parley.Options{Limits: parley.Limits{CloseTimeout: 200 * time.Millisecond}})
		w := newSite(t, k.transport, hub, func() parley.Consumer {
			return consumer{
				receive:    func(*parley.Conn, parley.Message) error { <-goOn; return nil },
				disconnect: func(_ *parley.Conn, c parley.CloseCode) { code <- c },
			}
		}).open(t)
		w.send(text("a"), closing(3000, ""))
		w.expect("close 1013", "eof") // 3000 would say that "a" was dealt with
		close(goOn)
		if got := await(t, code, "Disconnect"); got != 3000 {
			t.Errorf("Disconnect got %v, want 3000", got)
		}
	})
}
