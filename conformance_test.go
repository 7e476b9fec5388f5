package parley_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
)

// echo answers every message with itself.
type echo struct{ parley.Base }

func (echo) Receive(c *parley.Conn, m parley.Message) error { return c.Reply(m) }

func newEcho() parley.Consumer { return echo{} }

// messageLimit is the bound on messages in the tests of conformance.
const messageLimit = 1 << 17

// breach is what a client sends, named with the section of RFC 6455 that says
// what becomes of it, and what a server that echoes answers.
type breach struct {
	name string
	send string
	want []string // frames in words; one with ? may be left out. Without a close, the client closes at the end
}

// ways are how the bytes of a case reach the server.
var ways = []string{"at once", "byte by byte", "with the handshake"}

// conform runs cases over every kind, in every way, against an echo.
func conform(t *testing.T, cases []breach) {
	t.Helper()
	t.Parallel()
	onAll(t, kinds, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Limits: parley.Limits{MessageBytes: messageLimit}})
		s := newSite(t, k.transport, hub, newEcho)
		for _, way := range ways {
			for _, c := range cases {
				t.Run(way+"/"+c.name, func(t *testing.T) { c.run(t, s, way) })
			}
		}
	})
}

func (c breach) run(t *testing.T, s *site, way string) {
	send, want := c.send, c.want
	if len(want) == 0 || !strings.HasPrefix(want[len(want)-1], "close") {
		send += closing(1000, "")
		want = append(slices.Clip(want), "close 1000")
	}
	w := s.connect(t)
	switch way {
	case "at once":
		w.send(s.handshake())
		w.accepted()
		w.send(send)
	case "byte by byte":
		w.send(s.handshake())
		w.accepted()
		w.drip(send)
	case "with the handshake":
		w.send(s.handshake(), send)
		w.accepted()
	}
	compare(t, w.transcript(), want)
}

// drip sends bytes one at a time, but for the middle of long input. The server
// may end the connection before all are sent.
func (w *wire) drip(s string) {
	for len(s) > 0 {
		n := 1
		if len(s) > 300 {
			n = len(s) - 150
		}
		if _, err := w.nc.Write([]byte(s[:n])); err != nil {
			return
		}
		s = s[n:]
	}
}

// transcript reads until the server ends the connection.
func (w *wire) transcript() (frames []string) {
	w.t.Helper()
	for {
		got := w.next()
		switch {
		case got == "eof":
			return frames
		case len(frames) > 0 && strings.HasPrefix(frames[len(frames)-1], "close") && strings.Contains(got, "reset"):
			return frames // what came after the client's close frame was not read
		}
		frames = append(frames, got)
		got = strings.TrimPrefix(got, "compressed ")
		if !strings.HasPrefix(got, "text") && !strings.HasPrefix(got, "binary") &&
			!strings.HasPrefix(got, "pong") && !strings.HasPrefix(got, "close") {
			return frames // an error
		}
	}
}

// compare holds frames to what is wanted. Where pongs stand among data frames is
// the server's choice, but nothing follows a close frame.
func compare(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "close") {
		t.Fatalf("got %q, want a close frame at the end", got)
	}
	gotPongs, gotOthers := apart(got)
	wantPongs, wantOthers := apart(want)
	if !matches(gotPongs, wantPongs) || !matches(gotOthers, wantOthers) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func matches(got, want []string) bool {
	for _, want := range want {
		want, optional := strings.CutPrefix(want, "?")
		if len(got) > 0 && got[0] == want {
			got = got[1:]
		} else if !optional {
			return false
		}
	}
	return len(got) == 0
}

func apart(frames []string) (pongs, others []string) {
	for _, f := range frames {
		if strings.Contains(f, "pong") {
			pongs = append(pongs, f)
		} else {
			others = append(others, f)
		}
	}
	return pongs, others
}
