package parley_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestSettleOverlapsNothing has Joined take its time while messages of another address
// are delivered: no two calls are under way at once, and all messages come.
func TestSettleOverlapsNothing(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "group:kept"}}})
		var busy atomic.Int32
		call := func() {
			if busy.Add(1) != 1 {
				t.Error("calls overlap")
			}
			busy.Add(-1)
		}
		a, joined, goOn := parley.Group("a"), make(chan struct{}), make(chan struct{})
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			return deliverer{consumer{connect: func(c *parley.Conn) error {
				return errors.Join(c.Join(a, nil), c.Join(parley.Group("kept"), &parley.JoinOptions{Joined: func(parley.Cursor, bool) {
					if busy.Add(1) != 1 {
						t.Error("calls overlap")
					}
					close(joined)
					<-goOn
					busy.Add(-1)
				}}))
			}}, func(c *parley.Conn, m parley.Message) error {
				call()
				return c.Reply(m)
			}}
		})
		w := s.connect(t)
		w.send(s.handshake())
		await(t, joined, "Joined")
		for i := range 100 {
			if err := hub.Send(t.Context(), a, parley.Text(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		close(goOn)
		w.accepted()
		w.numbers(0, 100)
	})
}

// TestSettleBeforeDisconnect closes the hub while Joined is under way: Close waits for
// it, then for what Connect sent, then for Disconnect.
func TestSettleBeforeDisconnect(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		g := parley.Group("kept")
		hub := k.hub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "group:kept"}}, Limits: parley.Limits{CloseTimeout: 50 * time.Millisecond}})
		var mu sync.Mutex
		var events []string
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, what)
		}
		joined, goOn := make(chan struct{}), make(chan struct{})
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			return consumer{
				connect: func(c *parley.Conn) error {
					err := c.Join(g, &parley.JoinOptions{Joined: func(parley.Cursor, bool) {
						close(joined)
						<-goOn
						note("joined")
					}})
					c.SendAsync(g, parley.Text("x"), func(parley.Sent, error) { note("done") })
					return err
				},
				disconnect: func(*parley.Conn, parley.CloseCode) { note("disconnect") },
			}
		})
		w := s.connect(t)
		w.send(s.handshake())
		await(t, joined, "Joined")
		closed := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			closed <- hub.Close(ctx)
		}()
		w.expectEnd(t) // the engine is done with it
		close(goOn)
		if err := await(t, closed, "Close"); err != nil {
			t.Error(err)
		}
		if want := []string{"joined", "done", "disconnect"}; !slices.Equal(events, want) {
			t.Errorf("the events were %q, want %q", events, want)
		}
	})
}

// TestSettleBoundsReplies has others reply to a connection that does not settle: what
// is put off is bounded, and the rest as for a slow reader.
func TestSettleBoundsReplies(t *testing.T) {
	t.Parallel()
	for _, slow := range []parley.SlowReader{parley.CloseSlow, parley.DropSlow} {
		onAll(t, engines, func(t *testing.T, k kind) {
			hub := k.hub(t, &parley.Options{
				Keep: []parley.KeepRule{{Pattern: "group:kept"}}, SlowReader: slow, Limits: parley.Limits{SendQueueBytes: 10_000},
			})
			conns, goOn := make(chan *parley.Conn, 1), make(chan struct{})
			s := newSite(t, k.transport, hub, func() parley.Consumer {
				return consumer{connect: func(c *parley.Conn) error {
					return c.Join(parley.Group("kept"), &parley.JoinOptions{Joined: func(parley.Cursor, bool) {
						conns <- c
						<-goOn
					}})
				}}
			})
			w := s.connect(t)
			w.send(s.handshake())
			c := await(t, conns, "Joined")
			for i := range 100 {
				if err := c.Reply(parley.Text(fmt.Sprintf("%-1000d", i))); err != nil {
					t.Fatal(err)
				}
			}
			close(goOn)
			w.accepted()
			for i := range 9 {
				w.expectMessage(inWords(opText, fmt.Appendf(nil, "%-1000d", i)))
			}
			if s := hub.Stats(); slow == parley.DropSlow && s.SlowDropped != 91 || slow == parley.CloseSlow && s.SlowClosed != 1 {
				t.Errorf("counted %+v", s)
			}
			if slow == parley.CloseSlow {
				w.expect("close 4000")
			} else {
				w.quiet()
			}
		})
	}
}

// TestSettleTellsAtOnce has Connect ask for more than the limits allow, and for what
// no rule allows: each call says so.
func TestSettleTellsAtOnce(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Limits: parley.Limits{Memberships: 3, SendsInFlight: 2, SendQueueBytes: 1000}})
	codes := make(chan string, 100)
	tell := func(what string, err error) {
		told := parley.Code("ok")
		if e, ok := errors.AsType[*parley.Error](err); ok {
			told = e.Code
		}
		codes <- what + " " + string(told)
	}
	s := newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error {
			defer close(codes)
			tell("identify", c.Identify("bob", nil))
			tell("identify again", c.Identify("bob", nil))
			tell("identify as another", c.Identify("ann", nil))
			for i := range 3 {
				tell("join", c.Join(parley.Group(fmt.Sprint(i)), nil))
				tell("join again", c.Join(parley.Group(fmt.Sprint(i)), nil))
			}
			c.Leave(parley.Group("0"))
			tell("join the last", c.Join(parley.Group("2"), nil))
			tell("join one more", c.Join(parley.Group("3"), nil))
			tell("keep", c.Send(c.Context(), parley.Everyone, parley.Text("x"), parley.Keep(true)))
			tell("invalid", c.Send(c.Context(), parley.Everyone, parley.Text("\xff")))
			tell("send", c.Send(c.Context(), parley.Everyone, parley.Text("x")))
			c.SendAsync(parley.Everyone, parley.Text("x"), func(_ parley.Sent, err error) { tell("done in time", err) })
			tell("send too many", c.Send(c.Context(), parley.Everyone, parley.Text("x")))
			c.SendAsync(parley.Everyone, parley.Text("x"), func(_ parley.Sent, err error) { tell("done", err) })
			tell("reply", c.Reply(parley.Text(long(700))))
			tell("reply too much", c.Reply(parley.Text(long(700))))
			if c.Address().IsZero() {
				t.Error("no address")
			}
			return &parley.Error{Code: parley.Forbidden, Message: "no"}
		}}
	})
	w := s.connect(t)
	w.send(s.handshake())
	var got []string
	for code := range codes {
		got = append(got, code)
	}
	want := []string{
		"identify ok", "identify again ok", "identify as another conflict",
		"join ok", "join again ok", "join ok", "join again ok", "join too_large", "join again too_large",
		"join the last ok", "join one more too_large", "keep bad_request", "invalid bad_request", "send ok",
		"send too many unavailable", "done unavailable", "reply ok", "reply too much unavailable",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q,\nwant %q", got, want)
	}
}

// TestSettleFails has what Connect sent fail later: for Send the connection ends with the
// code of the error, of SendAsync only done is told.
func TestSettleFails(t *testing.T) {
	t.Parallel()
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, engines, func(t *testing.T, k kind) {
				hub := k.hub(t, &parley.Options{Layer: &meddling{
					append: func(_ context.Context, _ parley.Envelope, done func(parley.Sent, error), _ parley.Link) error {
						go done(parley.Sent{}, outage.err)
						return nil
					},
				}})
				ended, told := make(chan parley.CloseCode, 2), make(chan error, 1)
				s := newSite(t, k.transport, hub, func() parley.Consumer {
					return consumer{
						connect: func(c *parley.Conn) error {
							if c.Request().Header.Get("X-Async") == "" {
								return c.Send(c.Context(), bob, parley.Text("a"))
							}
							c.SendAsync(bob, parley.Text("a"), func(_ parley.Sent, err error) { told <- err })
							return nil
						},
						disconnect: func(_ *parley.Conn, code parley.CloseCode) { ended <- code },
					}
				})
				w := s.open(t)
				w.expect(outage.code)
				w.send(closing(1000, ""))
				if got := fmt.Sprintf("close %d", await(t, ended, "Disconnect")); got != outage.code {
					t.Errorf("Disconnect got %s, want %s", got, outage.code)
				}
				async := s.connect(t)
				async.send(request(map[string]string{"X-Async": "yes"}))
				async.accepted()
				if err := await(t, told, "done"); err != outage.err {
					t.Errorf("done got %v", err)
				}
				async.quiet()
			})
		})
	}
}

// TestSettleRefusesWhatCannotBeKept sends within Connect what is too large to be kept,
// and what cannot be kept at present.
func TestSettleRefusesWhatCannotBeKept(t *testing.T) {
	t.Parallel()
	ill := &parley.Error{Code: parley.Unavailable, Message: "made by the test"}
	layer := &meddling{}
	hub := newHub(t, &parley.Options{Layer: layer, Keep: []parley.KeepRule{{Pattern: "user:*", Bytes: 10}}})
	m := newMail(t, engines[0], hub, nil)
	m.connects(t, func(c *parley.Conn) error {
		done, results := collect(1)
		for want, say := range map[parley.Code]string{parley.TooLarge: "more than ten bytes", parley.Unavailable: "a"} {
			layer.health.Store(nil)
			if want == parley.Unavailable {
				layer.health.Store(ill)
			}
			if err := c.Send(c.Context(), bob, parley.Text(say)); codeOf(err) != want {
				t.Errorf("Send of %q returned %v", say, err)
			}
			if c.SendAsync(bob, parley.Text(say), done); len(results) != 1 {
				t.Errorf("done of %q is not called at once", say)
			} else if r := <-results; codeOf(r.err) != want {
				t.Errorf("done of %q got %v", say, r.err)
			}
		}
		return nil
	}).quiet()
}

// TestSettleBoundsCalls asks for the same again and again within Connect: what is put off
// has a bound.
func TestSettleBoundsCalls(t *testing.T) {
	t.Parallel()
	const limit = 10
	hub := newHub(t, &parley.Options{Limits: parley.Limits{Memberships: limit}})
	m := newMail(t, engines[0], hub, nil)
	for name, ask := range map[string]func(*parley.Conn){
		"Address":  func(c *parley.Conn) { c.Address() },
		"Close":    func(c *parley.Conn) { _ = c.Close(4003, "") },
		"Join":     func(c *parley.Conn) { _ = c.Join(g, nil) },
		"Identify": func(c *parley.Conn) { _ = c.Identify("bob", nil) },
		"Leave":    func(c *parley.Conn) { c.Leave(g) },
		"churn":    func(c *parley.Conn) { _ = c.Join(g, nil); c.Leave(g) },
	} {
		m.connects(t, func(c *parley.Conn) error {
			for range 1000 {
				ask(c)
			}
			if n := parley.PutOff(c); n > 4*limit {
				t.Errorf("%s: %d calls are put off", name, n)
			}
			return nil
		})
	}
}

// TestOwnAddressRefused has the layer refuse the interest in a connection's address, asked
// for within Connect and later: the connection is closed.
func TestOwnAddressRefused(t *testing.T) {
	t.Parallel()
	for _, within := range []bool{true, false} {
		onAll(t, engines, func(t *testing.T, k kind) {
			hub := k.hub(t, &parley.Options{Layer: &meddling{
				subscribe: func(parley.Address, int) error { return outages["unavailable"].err },
			}})
			m := newMail(t, k, hub, func(c consumer) parley.Consumer {
				c.receive = func(c *parley.Conn, _ parley.Message) error { c.Address(); return nil }
				return c
			})
			w := m.connects(t, func(c *parley.Conn) error {
				if within {
					c.Address()
				}
				return nil
			})
			if !within {
				w.send(text("a"))
			}
			w.expect("close 1013")
		})
	}
}

// hangs is a layer one of whose calls does not return until the test ends, or until
// its context does.
type hangs struct {
	parley.Layer
	call   string
	heeds  bool // its context
	goOn   chan struct{}
	called chan struct{} // holds one when it hangs
}

type hangingLink struct {
	parley.Link
	by *hangs
}

func (h *hangs) Attach(local parley.Local) parley.Link { return &hangingLink{h.Layer.Attach(local), h} }

func (l *hangingLink) hang(ctx context.Context, call string) error {
	if call != l.by.call {
		return nil
	}
	select {
	case l.by.called <- struct{}{}:
	default:
	}
	if !l.by.heeds {
		ctx = context.Background()
	}
	select {
	case <-l.by.goOn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *hangingLink) Subscribe(ctx context.Context, of parley.Address) error {
	return errors.Join(l.hang(ctx, "Subscribe"), l.Link.Subscribe(ctx, of))
}

func (l *hangingLink) Head(ctx context.Context, of parley.Address) (parley.Cursor, error) {
	if err := l.hang(ctx, "Head"); err != nil {
		return parley.Cursor{}, err
	}
	return l.Link.Head(ctx, of)
}

func (l *hangingLink) Cursors(ctx context.Context, of parley.Address) (map[string]parley.Cursor, error) {
	if err := l.hang(ctx, "Cursors"); err != nil {
		return nil, err
	}
	return l.Link.Cursors(ctx, of)
}

func (l *hangingLink) ReadAfter(ctx context.Context, of parley.Address, after parley.Cursor, limit parley.PageLimit) (parley.Page, error) {
	if err := l.hang(ctx, "ReadAfter"); err != nil {
		return parley.Page{}, err
	}
	return l.Link.ReadAfter(ctx, of, after, limit)
}

func (l *hangingLink) Introduce(ctx context.Context, of parley.Address, name string, at parley.Cursor) error {
	return errors.Join(l.hang(ctx, "Introduce"), l.Link.Introduce(ctx, of, name, at))
}

// TestSettleInTime has a layer hang in what Connect asked for: the client is told
// within the handshake's time, whether the layer heeds its context or not.
func TestSettleInTime(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Subscribe", "Head", "Cursors", "ReadAfter", "Introduce"} {
		for _, heeds := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, heeds %v", call, heeds), func(t *testing.T) {
				t.Parallel()
				onAll(t, engines, func(t *testing.T, k kind) {
					layer := &hangs{Layer: parley.NewMemoryLayer(), call: call, heeds: heeds, goOn: make(chan struct{}), called: make(chan struct{}, 1)}
					hub := k.hub(t, &parley.Options{Layer: layer, Limits: parley.Limits{HandshakeTimeout: 100 * time.Millisecond}})
					ended := make(chan parley.CloseCode, 1)
					m := newMail(t, k, hub, func(c consumer) parley.Consumer {
						c.disconnect = func(_ *parley.Conn, code parley.CloseCode) { ended <- code }
						return c
					})
					done, results := collect(1)
					w := m.connects(t, func(c *parley.Conn) error {
						err := c.Identify("bob", &parley.JoinOptions{Device: "phone"})
						c.SendAsync(g, parley.Text("too late"), done)
						return err
					})
					await(t, layer.called, "the layer")
					w.expect("close 1013")
					w.send(closing(1013, "")) // which is read
					w.expect("eof")
					if !heeds && len(ended) > 0 {
						t.Error("Disconnect was called while the layer hangs")
					}
					close(layer.goOn)
					if code := await(t, ended, "Disconnect"); code != parley.CloseTryAgainLater {
						t.Errorf("Disconnect got %v", code)
					}
					if r := await(t, results, "done"); r.err != parley.ErrClosed {
						t.Errorf("done of what was not begun got %v", r.err)
					}
					until(t, "the connection is over", func() bool { return hub.Stats().Connections == 0 })
					if online, err := hub.Online(t.Context(), "bob"); online || err != nil {
						t.Errorf("bob is online: %v, %v", online, err)
					}
				})
			})
		}
	}
}

// TestRequestIsOfConnect has no request while the connection settles.
func TestRequestIsOfConnect(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "group:kept"}}})
	s := newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error {
			if c.Request() == nil || !strings.HasPrefix(c.Request().URL.Path, "/") {
				t.Error("Connect has no request")
			}
			return c.Join(parley.Group("kept"), &parley.JoinOptions{Joined: func(parley.Cursor, bool) {
				if c.Request() != nil {
					t.Error("there is a request after Connect")
				}
			}})
		}}
	})
	s.open(t).quiet()
}
