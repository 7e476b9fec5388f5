package parley_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/parley-rt/parley"
)

var g = parley.Group("g")

// TestJoinedPlace tells where messages begin, and whether some are missing.
func TestJoinedPlace(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "group:*", Messages: 5}, {Pattern: "user:*", Messages: 5}}})
		m := newMail(t, k, hub, nil)
		places := keep(t, hub, g, 0, 20)
		inbox := keep(t, hub, bob, 0, 20)
		head, trimmed := places[19], places[14]
		beyond := parley.Cursor{Epoch: head.Epoch, Seq: head.Seq + 1}
		for name, c := range map[string]struct {
			after, at parley.Cursor
			missed    bool
			from      int
		}{
			"now":           {parley.Cursor{}, head, false, 20},
			"head":          {head, head, false, 20},
			"behind":        {places[17], places[17], false, 18},
			"oldest":        {trimmed, trimmed, false, 15},
			"trimmed":       {places[13], trimmed, true, 15},
			"long trimmed":  {places[0], trimmed, true, 15},
			"beyond":        {beyond, trimmed, true, 15},
			"another epoch": {parley.Cursor{Epoch: head.Epoch + 1, Seq: head.Seq}, trimmed, true, 15},
		} {
			opts, joined := joins(parley.JoinOptions{After: c.after})
			w := m.in(t, g, opts)
			if got := await(t, joined, "Joined"); got != (place{c.at, c.missed}) {
				t.Errorf("%s: joined at %v, want %v, missed %v", name, got, c.at, c.missed)
			}
			w.numbers(c.from, 20)
			w.quiet()
		}
		opts, joined := joins(parley.JoinOptions{})
		w := m.as(t, "bob", opts)
		if got := await(t, joined, "Joined"); got != (place{inbox[14], true}) {
			t.Errorf("a user's first connection joined at %v", got)
		}
		w.numbers(15, 20)
		w.acknowledge()
		opts, joined = joins(parley.JoinOptions{})
		again := m.as(t, "bob", opts)
		again.quiet()
		if got := await(t, joined, "Joined"); got != (place{inbox[19], false}) {
			t.Errorf("with all acknowledged it joined at %v", got)
		}
		m.leave(t, bob, w, again)
		keep(t, hub, bob, 20, 30)
		opts, joined = joins(parley.JoinOptions{})
		m.as(t, "bob", opts).numbers(25, 30)
		if got := await(t, joined, "Joined"); !got.missed {
			t.Errorf("behind what was trimmed it joined at %v", got)
		}
	})
}

// TestJoinedOfEmptyLogs tells where the first message will follow.
func TestJoinedOfEmptyLogs(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Keep: keepAll()})
	m := newMail(t, engines[0], hub, nil)
	opts, joined := joins(parley.JoinOptions{})
	w := m.as(t, "ann", opts)
	at := await(t, joined, "Joined")
	if at.Epoch == 0 || at.missed {
		t.Errorf("joined at %v", at)
	}
	opts, joined = joins(parley.JoinOptions{After: parley.Cursor{Epoch: 1, Seq: 5}})
	late := m.in(t, parley.Everyone, opts)
	if got := await(t, joined, "Joined"); !got.missed || got.Epoch != at.Epoch {
		t.Errorf("joined at %v", got)
	}
	keep(t, hub, parley.User("ann"), 0, 1)
	keep(t, hub, parley.Everyone, 0, 1)
	w.numbers(0, 1)
	late.numbers(0, 1)
	opts, joined = joins(parley.JoinOptions{After: at.Cursor})
	m.as(t, "ann", opts).numbers(0, 1)
	if got := await(t, joined, "Joined"); got != (place{at.Cursor, false}) {
		t.Errorf("joined at %v, want %v", got, at)
	}
}

// TestJoinedReplies has Joined reply, within Connect and later: the reply comes
// before the first message, an old one or a live one.
func TestJoinedReplies(t *testing.T) {
	t.Parallel()
	onWraps(t, kinds, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		hub := k.hub(t, &parley.Options{Keep: keepAll()})
		m := newMail(t, k, hub, wrap)
		places := keep(t, hub, g, 0, 10)
		for _, after := range []parley.Cursor{{}, places[4]} {
			for _, early := range []bool{true, false} {
				from := 10
				if after != (parley.Cursor{}) {
					from = 5
				}
				var c *parley.Conn
				opts := &parley.JoinOptions{After: after, Joined: func(parley.Cursor, bool) {
					_ = c.Reply(parley.Text("joined"))
					if err := hub.Send(t.Context(), g, parley.Text("live")); err != nil {
						t.Error(err)
					}
				}}
				conns := make(chan *parley.Conn, 1)
				w := m.connects(t, func(of *parley.Conn) error {
					c = of
					conns <- c
					_ = c.Reply(parley.Text("first"))
					if early {
						return errors.Join(c.Join(g, opts), c.Reply(parley.Text("then")))
					}
					return nil
				})
				w.expectMessage(`text "first"`)
				if !early {
					if err := (<-conns).Join(g, opts); err != nil {
						t.Fatal(err)
					}
				} else {
					w.expectMessage(`text "then"`)
				}
				w.expectMessage(`text "joined"`)
				w.numbers(from, 10)
				w.expectMessage(`text "live"`)
			}
		}
	})
}

// TestJoinedRepliesBeforeLive has a message come after a group was joined within
// Connect, and before its reply could be written: it follows the reply all the same.
func TestJoinedRepliesBeforeLive(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Keep: keepAll()})
		m := newMail(t, k, hub, nil)
		other := m.in(t, g, nil)
		w := m.connects(t, func(c *parley.Conn) error {
			replies := &parley.JoinOptions{Joined: func(parley.Cursor, bool) { _ = c.Reply(parley.Text("joined")) }}
			sends := &parley.JoinOptions{Joined: func(parley.Cursor, bool) {
				if err := hub.Send(context.Background(), g, parley.Text("live")); err != nil {
					t.Error(err)
				}
				other.expectMessage(`text "live"`)
			}}
			return errors.Join(c.Join(g, replies), c.Join(parley.Group("other"), sends))
		})
		w.expectMessage(`text "joined"`)
		w.expectMessage(`text "live"`)
	})
}

// TestJoinedCalls has Joined do what it likes with its connection.
func TestJoinedCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		call func(c *parley.Conn) error
		want []string
	}{
		"Join":       {func(c *parley.Conn) error { return c.Join(parley.Group("other"), nil) }, []string{`text "0"`, `text "other"`}},
		"Join again": {func(c *parley.Conn) error { return c.Join(g, nil) }, []string{`text "0"`}},
		"Identify":   {func(c *parley.Conn) error { return c.Identify("bob", nil) }, []string{`text "0"`, `text "inbox"`}},
		"Leave":      {func(c *parley.Conn) error { c.Leave(g); return nil }, []string{`text "done"`}},
		"Close":      {func(c *parley.Conn) error { return c.Close(4003, "") }, []string{"close 4003"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, early := range []bool{true, false} {
				onAll(t, engines, func(t *testing.T, k kind) {
					hub := k.hub(t, &parley.Options{Keep: keepAll()})
					m := newMail(t, k, hub, nil)
					conns := make(chan *parley.Conn, 1)
					join := func(of *parley.Conn) error {
						return of.Join(g, &parley.JoinOptions{Joined: func(parley.Cursor, bool) {
							if err := c.call(of); err != nil {
								t.Error(err)
							}
						}})
					}
					w := m.connects(t, func(of *parley.Conn) error {
						conns <- of
						if early {
							return join(of)
						}
						return nil
					})
					of := await(t, conns, "Connect")
					if !early {
						if err := join(of); err != nil {
							t.Error(err)
						}
					}
					if name == "Close" {
						w.expectMessage("close 4003")
						return
					}
					keep(t, hub, g, 0, 1)
					for to, say := range map[parley.Address]string{bob: "inbox", parley.Group("other"): "other", of.Address(): "done"} {
						if name == "Leave" != (say == "done") {
							continue
						}
						if err := hub.Send(t.Context(), to, parley.Text(say)); err != nil {
							t.Error(err)
						}
					}
					for _, want := range c.want {
						w.expectMessage(want)
					}
				})
			}
		})
	}
}

// TestJoinedFails has Joined panic, or end its goroutine, within Connect: the client
// is told 1011, and nothing is left of the connection.
func TestJoinedFails(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(){
		"panic":  func() { panic("made by the test") },
		"Goexit": func() { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, engines, func(t *testing.T, k kind) {
				hub := k.hub(t, nil)
				m := newMail(t, k, hub, nil)
				sent := make(chan error, 1)
				w := m.connects(t, func(c *parley.Conn) error {
					err := c.Identify("bob", &parley.JoinOptions{Joined: func(parley.Cursor, bool) { fail() }})
					c.SendAsync(bob, parley.Text("a"), func(_ parley.Sent, err error) { sent <- err })
					return err
				})
				w.expectMessage("close 1011")
				w.send(closing(1011, ""))
				w.expect("eof")
				if err := await(t, sent, "done of what Connect sent"); err != nil {
					t.Error(err)
				}
				until(t, "nothing is left", func() bool { return parley.Left(hub) == "" })
			})
		})
	}
}

// TestJoinedIsNotCalled where nothing is kept, nor for a second Join.
func TestJoinedIsNotCalled(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	m := newMail(t, engines[0], hub, nil)
	wrong := &parley.JoinOptions{Joined: func(at parley.Cursor, missed bool) { t.Errorf("Joined(%v, %v)", at, missed) }}
	w := m.connects(t, func(c *parley.Conn) error {
		return errors.Join(c.Join(g, wrong), c.Identify("bob", nil), c.Identify("bob", wrong))
	})
	w.quiet()
	m.connects(t, func(c *parley.Conn) error {
		for _, opts := range []*parley.JoinOptions{{Device: "d"}, {Device: "\n"}, {Device: long(201)}} {
			if err := c.Join(g, opts); codeOf(err) != parley.BadRequest {
				return fmt.Errorf("Join returned %v", err)
			}
		}
		for _, opts := range []*parley.JoinOptions{{Device: "\n"}, {Device: long(201)}, {Device: "d", After: parley.Cursor{Epoch: 1}}} {
			if err := c.Identify("ann", opts); codeOf(err) != parley.BadRequest || c.User() != "" {
				return fmt.Errorf("Identify returned %v", err)
			}
		}
		return nil
	}).quiet()
}
