package parley_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// vicious is an error whose methods do what they should not.
type vicious struct{ do func() }

func (v vicious) Error() string   { v.do(); return "vicious" }
func (v vicious) Is(error) bool   { v.do(); return false }
func (v vicious) As(any) bool     { v.do(); return false }
func (v vicious) Unwrap() []error { v.do(); return nil }

// ends are how a call may end that does not return.
var ends = map[string]func(){
	"panic":  func() { panic("made by the test") },
	"Goexit": func() { runtime.Goexit() },
}

// TestViciousErrors has calls return errors whose methods panic, or end their
// goroutine: it is to their connection as if the call itself did.
func TestViciousErrors(t *testing.T) {
	t.Parallel()
	for name, do := range ends {
		for _, in := range []string{"Receive", "Deliver", "JSON"} {
			t.Run(in+" "+name, func(t *testing.T) {
				t.Parallel()
				onAll(t, engines, func(t *testing.T, k kind) { viciousError(t, k, in, vicious{do}) })
			})
		}
	}
}

func viciousError(t *testing.T, k kind, in string, err error) {
	hub := k.hub(t, nil)
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		if in == "JSON" {
			return parley.JSON(func(*parley.Conn, int) error { return err })
		}
		return deliverer{
			consumer: consumer{
				connect: func(c *parley.Conn) error { return c.Join(g, nil) },
				receive: func(*parley.Conn, parley.Message) error { return err },
			},
			deliver: func(*parley.Conn, parley.Message) error { return err },
		}
	})
	w, other := s.open(t), s.open(t)
	if in == "Deliver" {
		if err := hub.Send(t.Context(), g, parley.Text("a")); err != nil {
			t.Fatal(err)
		}
		other.expect("close 1011")
	} else {
		w.send(text("1"))
		other.quiet()
	}
	w.expect("close 1011")
	w.send(closing(1011, ""))
	w.expect("eof")
}

// TestViciousErrorInConnect has Connect return such an error: the client is told
// nothing of it, and nothing is left.
func TestViciousErrorInConnect(t *testing.T) {
	t.Parallel()
	for name, do := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := newHub(t, nil)
			s := newSite(t, "tcp", hub, func() parley.Consumer {
				return consumer{connect: func(*parley.Conn) error { return vicious{do} }}
			})
			w := s.connect(t)
			w.send(handshake)
			if name == "panic" {
				if r := w.response(); r.StatusCode != 500 {
					t.Errorf("got %s, want 500", r.Status)
				}
			} else if _, err := w.r.ReadByte(); err == nil {
				t.Error("the handshake is answered")
			}
			hubCloses(t, hub)
		})
	}
}

// viciousEncoder fails, with an error of that kind or itself, for some messages.
type viciousEncoder struct {
	consumer
	do func()
}

func (v viciousEncoder) Encode(m parley.Message) (parley.Message, error) {
	switch string(m.Data) {
	case "error":
		return m, vicious{v.do}
	case "end":
		v.do()
	}
	return m, nil
}

// TestViciousEncode has Encode, or the methods of its error, panic or end the goroutine,
// of kept and other messages, live and read from a log: the message is left out for the
// connections of that handler alone, nobody else notices, and it is logged.
func TestViciousEncode(t *testing.T) {
	t.Parallel()
	for name, do := range ends {
		for _, compression := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				onAll(t, engines, func(t *testing.T, k kind) { viciousEncode(t, k, do, compression) })
			})
		}
	}
}

func viciousEncode(t *testing.T, k kind, do func(), compression bool) {
	var log strings.Builder
	kept, other := g, parley.Group("other")
	hub := k.hub(t, &parley.Options{
		Keep: []parley.KeepRule{{Pattern: "group:g"}}, Logger: textLogger(&log), Compression: compression,
		Limits: parley.Limits{CloseTimeout: time.Millisecond}, // nobody answers
	})
	vicious := newMail(t, k, hub, func(c consumer) parley.Consumer { return viciousEncoder{c, do} })
	plain := newMail(t, k, hub, nil)
	send := func(to parley.Address) {
		for _, say := range []string{"a", "error", "b", "end", "c"} {
			ended := make(chan error, 1)
			go func() { // which Encode may end
				defer close(ended)
				ended <- hub.Send(t.Context(), to, parley.Text(say))
			}()
			if err := await(t, ended, "Send"); err != nil {
				t.Error(err)
			}
		}
	}
	join := func(m *mail, to parley.Address) *wire { return m.in(t, to, nil) }
	places := keep(t, hub, kept, 0, 1)
	for _, to := range []parley.Address{kept, other} {
		left, whole := join(vicious, to), join(plain, to)
		vicious.deflates = compression
		deflated := join(vicious, to)
		vicious.deflates = false
		send(to)
		for _, w := range []*wire{left, deflated} {
			for _, want := range []string{"a", "b", "c"} {
				w.expectMessage(`text "` + want + `"`)
			}
		}
		for _, want := range []string{"a", "error", "b", "end", "c"} {
			whole.expectMessage(`text "` + want + `"`)
		}
	}
	for range 2*runtime.GOMAXPROCS(0) + 1 { // more than there are readers
		behind := vicious.in(t, kept, &parley.JoinOptions{After: places[0]})
		for _, want := range []string{"a", "b", "c"} {
			behind.expectMessage(`text "` + want + `"`)
		}
	}
	hubCloses(t, hub)
	const lost = 4 // two of each address, however often they are read
	if n := strings.Count(log.String(), "not encoded"); n != lost {
		t.Errorf("it was logged %d times, want %d", n, lost)
	}
	if n := hub.Stats().Undeliverable; n != lost {
		t.Errorf("%d messages were counted, want %d", n, lost)
	}
}

// TestViciousDone has done end its goroutine, of the program's and of a connection's
// messages, which are then no less done.
func TestViciousDone(t *testing.T) {
	t.Parallel()
	for name, do := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := newHub(t, &parley.Options{Limits: parley.Limits{SendsInFlight: 2}})
			conns := make(chan *parley.Conn, 1)
			s := newSite(t, "tcp", hub, guest("ann", "g", conns))
			w := s.open(t)
			for _, send := range []sendingAsync{hub.SendAsync, await(t, conns, "a connection").SendAsync} {
				const n = 100 // more than may be on their way
				told := make(chan error, n)
				for range n {
					send(bob, parley.Text("a"), func(_ parley.Sent, err error) { told <- err; do() })
				}
				for range n {
					if err := await(t, told, "done"); err != nil {
						t.Error(err)
					}
				}
			}
			w.send(closing(1000, ""))
			w.expectMessage("close 1000")
			hubCloses(t, hub)
		})
	}
}

// TestGoexitInListen ends the goroutine of Listen in each of its calls: nothing is left
// of the listener.
func TestGoexitInListen(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Keep: keepAll()})
	places := keep(t, hub, g, 0, 1)
	missing := parley.Cursor{Epoch: places[0].Epoch + 1, Seq: 1}
	for name, opts := range map[string]*parley.ListenOptions{
		"Started": {Started: func() { runtime.Goexit() }},
		"Missed":  {After: missing, Missed: func(parley.Missed) { runtime.Goexit() }},
		"f":       {After: missing},
	} {
		over := make(chan bool)
		go func() {
			defer close(over)
			err := hub.Listen(t.Context(), g, opts, func(parley.Message) error { runtime.Goexit(); return nil })
			t.Errorf("%s: Listen returned %v", name, err)
		}()
		await(t, over, name)
		if left := parley.Left(hub); left != "" {
			t.Errorf("%s: %s", name, left)
		}
	}
}

// TestViciousDoneOfRefused has the dones of a refused connection's messages panic, or end
// their goroutine: each is called, and nothing is left of the connection.
func TestViciousDoneOfRefused(t *testing.T) {
	t.Parallel()
	for name, do := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := newHub(t, nil)
			const n = 3
			told := make(chan error, n+1)
			s := newSite(t, "tcp", hub, func() parley.Consumer {
				return consumer{connect: func(c *parley.Conn) error {
					for range n {
						c.SendAsync(bob, parley.Text("a"), func(_ parley.Sent, err error) { told <- err; do() })
					}
					return &parley.Error{Code: parley.Forbidden}
				}}
			})
			w := s.connect(t)
			w.send(handshake)
			for range n {
				if err := await(t, told, "done"); err != parley.ErrClosed {
					t.Errorf("done got %v", err)
				}
			}
			hubCloses(t, hub)
			if len(told) > 0 {
				t.Error("done was called twice")
			}
		})
	}
}

// TestViciousJoined has Joined panic, or end its goroutine, on a goroutine of the
// program's: the connection is not joined, and may join again.
func TestViciousJoined(t *testing.T) {
	t.Parallel()
	for name, do := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, engines, func(t *testing.T, k kind) { viciousJoined(t, k, do) })
		})
	}
}

func viciousJoined(t *testing.T, k kind, do func()) {
	hub := k.hub(t, &parley.Options{Keep: keepAll()})
	m := newMail(t, k, hub, nil)
	conns := make(chan *parley.Conn, 1)
	w := m.connects(t, func(c *parley.Conn) error { conns <- c; return nil })
	c := await(t, conns, "Connect")
	for _, to := range []parley.Address{g, bob} {
		join := func(opts *parley.JoinOptions) error { return c.Join(to, opts) }
		if to == bob {
			join = func(opts *parley.JoinOptions) error { return c.Identify("bob", opts) }
		}
		ended := make(chan bool)
		go func() {
			defer close(ended)
			defer func() { _ = recover() }()
			err := join(&parley.JoinOptions{Joined: func(parley.Cursor, bool) { do() }})
			t.Errorf("joining %v returned %v", to, err)
		}()
		await(t, ended, "joining")
		if c.User() != "" {
			t.Errorf("the connection is %q", c.User())
		}
		keep(t, hub, to, 0, 1)
		w.quiet()
		if err := join(nil); err != nil {
			t.Fatal(err)
		}
		if to == bob { // the first message waited
			w.numbers(0, 1)
		}
		keep(t, hub, to, 1, 2)
		w.numbers(1, 2)
	}
}

// TestViciousMissed has JoinOptions.Missed panic, or end its goroutine: the client is
// told 1011, and nothing is left of the connection.
func TestViciousMissed(t *testing.T) {
	t.Parallel()
	for name, do := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, engines, func(t *testing.T, k kind) {
				hub := k.hub(t, &parley.Options{Keep: keepAll()})
				places := keep(t, hub, g, 0, 1)
				missing := parley.Cursor{Epoch: places[0].Epoch + 1, Seq: 1}
				w := newMail(t, k, hub, nil).in(t, g, &parley.JoinOptions{After: missing, Missed: func(parley.Missed) { do() }})
				w.expectMessage("close 1011")
				w.send(closing(1011, ""))
				w.expect("eof")
				until(t, "nothing is left", func() bool { return parley.Left(hub) == "" })
				hubCloses(t, hub)
			})
		})
	}
}
