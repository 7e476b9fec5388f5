package parley_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
)

// rejecting reads a user's messages as a client that ends its connection at each one
// that is poison, with a code. It returns what came before.
func (m *mail) rejecting(t *testing.T, opts *parley.JoinOptions, code uint16, last string) (got []string, ended bool) {
	t.Helper()
	w := m.as(t, "bob", opts)
	for {
		op, payload, err := w.read()
		switch {
		case err != nil:
			t.Fatal(err)
		case op == opPing:
			w.send(frame(fin|opPong, string(payload)))
		case strings.HasPrefix(string(payload), "poison"):
			w.send(closing(code, ""))
			w.expectEnd(t)
			return got, true
		default:
			got = append(got, string(payload))
			if string(payload) == last {
				w.acknowledged(t)
				m.lose(t, w, 1)
				return got, false
			}
		}
	}
}

// expectEnd reads to the end of a connection.
func (w *wire) expectEnd(t *testing.T) {
	t.Helper()
	for {
		if _, _, err := w.read(); err != nil {
			return
		}
	}
}

// acknowledged answers pings until the server has nothing more to say.
func (w *wire) acknowledged(t *testing.T) {
	t.Helper()
	w.send(ping("all"))
	for {
		switch op, payload, err := w.read(); {
		case err != nil:
			t.Fatal(err)
		case op == opPing:
			w.send(frame(fin|opPong, string(payload)), ping("all"))
		case op == opPong:
			return
		}
	}
}

// TestRejectedMessages has a client end its connection at some messages of many, with
// each code that says it could not take them: each ends a few connections, is given
// up, told, and counted, and all others come.
func TestRejectedMessages(t *testing.T) {
	t.Parallel()
	for _, code := range []uint16{1003, 1007, 1009} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			onWraps(t, unlike, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
				hub := k.hub(t, nil)
				m := newMail(t, k, hub, wrap)
				const n = 40
				for i := range n {
					text := fmt.Sprint(i)
					if i%15 == 7 {
						text = "poison " + text
					}
					if err := hub.Send(t.Context(), bob, parley.Text(text)); err != nil {
						t.Fatal(err)
					}
				}
				opts := &parley.JoinOptions{Device: "phone"}
				lost := int64(0)
				opts.Missed = func(m parley.Missed) { lost += m.Messages }
				var all []string
				connections := 0
				for ended := true; ended; connections++ {
					var got []string
					got, ended = m.rejecting(t, opts, code, "39")
					all = append(all, got...)
					if connections > 20 {
						t.Fatal("there is no end")
					}
				}
				for i := range n {
					if text := fmt.Sprint(i); i%15 != 7 && !slices.Contains(all, text) {
						t.Errorf("%s did not come", text)
					}
				}
				if s := hub.Stats(); s.Undeliverable != 3 || lost != 3 || s.Trimmed+s.Gaps != 0 {
					t.Errorf("told of %d, after %d connections: %+v", lost, connections, s)
				}
				m.as(t, "bob", opts).quiet()
			})
		})
	}
}

// TestRejectedOtherCodes has a client end its connection with codes that say nothing
// of messages: they come again each time.
func TestRejectedOtherCodes(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	m := newMail(t, engines[0], hub, nil)
	if err := hub.Send(t.Context(), bob, parley.Text("poison")); err != nil {
		t.Fatal(err)
	}
	for _, code := range []uint16{1000, 1001, 1002, 1008, 1011, 4000} {
		for range 4 {
			if _, ended := m.rejecting(t, nil, code, ""); !ended {
				t.Fatalf("with code %d the message did not come again", code)
			}
		}
	}
	if s := hub.Stats(); s.Undeliverable != 0 {
		t.Errorf("%+v", s)
	}
}
