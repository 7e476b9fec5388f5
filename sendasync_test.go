package parley_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// sendingAsync is SendAsync of a hub or a connection.
type sendingAsync = func(parley.Address, parley.Message, func(parley.Sent, error), ...parley.SendOption)

// async returns SendAsync of a hub and of one of its connections.
func async(t *testing.T, hub *parley.Hub) (map[string]sendingAsync, *wire) {
	t.Helper()
	conns := make(chan *parley.Conn, 1)
	w, _ := pipe(t, hub.Handler(guest("ann", "g", conns)))
	return map[string]sendingAsync{"hub": hub.SendAsync, "conn": (<-conns).SendAsync}, w
}

// TestSendAsyncInOrder has many on their way from one goroutine: they are kept in
// the order of the calls, told in it, and none has a goroutine to itself.
func TestSendAsyncInOrder(t *testing.T) { // not parallel: it counts goroutines
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		layer, safe := late()
		hub := newHub(t, &parley.Options{Layer: layer})
		senders, _ := async(t, hub)
		for name, send := range senders {
			done, results := collect(n)
			goroutines := parley.Goroutines()
			for i := range n {
				send(parley.User(name), parley.Text(fmt.Sprint(i)), done)
			}
			if more := parley.Goroutines() - goroutines; more > n/20 {
				t.Errorf("%s: %d goroutines for %d messages", name, more, n)
			}
			synctest.Wait()
			if len(results) > 0 {
				t.Errorf("%s: done was called before the message was safe", name)
			}
			for range n {
				(<-safe)()
			}
			for i, m := range kept(t, hub, parley.User(name), n) {
				r := <-results
				if r.err != nil || r.Cursor != m.Cursor || !r.Time.Equal(m.Time) || string(m.Data) != fmt.Sprint(i) {
					t.Errorf("%s: message %d is %q at %v, and done got %+v", name, i, m.Data, m.Cursor, r)
				}
			}
		}
	})
}

// TestSendAsyncNotKept calls done before SendAsync returns.
func TestSendAsyncNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, nil)
		senders, w := async(t, hub)
		for name, send := range senders {
			got := make(chan result, 1)
			done := func(sent parley.Sent, err error) { got <- result{sent, err} }
			go send(parley.Group("g"), parley.Text("a"), done)
			w.expect(`text "a"`)
			if r := <-got; r.err != nil || !r.Cursor.IsZero() || !r.Time.Equal(time.Now()) {
				t.Errorf("%s: done got %+v", name, r)
			}
			called := false
			send(parley.Group(""), parley.Text("a"), func(sent parley.Sent, err error) {
				if called = true; codeOf(err) != parley.BadRequest || sent != (parley.Sent{}) {
					t.Errorf("%s: done got %+v and %v", name, sent, err)
				}
			})
			if !called {
				t.Errorf("%s: SendAsync returned before it told of the error", name)
			}
		}
	})
}

// TestSendsInFlight waits while as many are on their way.
func TestSendsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		layer, safe := late()
		hub := newHub(t, &parley.Options{Layer: layer, Limits: parley.Limits{SendsInFlight: 2}})
		senders, _ := async(t, hub)
		for name, limit := range map[string]int{"conn": 2, "hub": 32} {
			const more = 5
			done, results := collect(limit + more)
			go func() {
				for i := range limit + more {
					senders[name](parley.User("bob"), parley.Text(fmt.Sprint(i)), done)
				}
			}()
			for i := range limit + more {
				synctest.Wait()
				if n, want := len(safe), min(limit, limit+more-i); n != want {
					t.Errorf("%s: %d are on their way, want %d", name, n, want)
				}
				(<-safe)()
			}
			for range limit + more {
				if r := <-results; r.err != nil {
					t.Errorf("%s: %v", name, r.err)
				}
			}
		}
	})
}

// TestSendAsyncWaitsNoLongerThan gives up with the connection, or the hub.
func TestSendAsyncWaitsNoLongerThan(t *testing.T) {
	t.Parallel()
	type appending = func(context.Context, parley.Envelope, func(parley.Sent, error), parley.Link) error
	full := func(ctx context.Context, _ parley.Envelope, _ func(parley.Sent, error), _ parley.Link) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	never := func(context.Context, parley.Envelope, func(parley.Sent, error), parley.Link) error { return nil }
	for name, appends := range map[string]appending{"no room in the layer": full, "none is safe": never} {
		for _, by := range []string{"conn", "hub"} {
			t.Run(name+"/"+by, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					layer, discard := &meddling{append: appends}, textLogger(&strings.Builder{})
					hub := parley.NewHub(&parley.Options{Layer: layer, Limits: parley.Limits{SendsInFlight: 1}, Logger: discard})
					senders, w := async(t, hub)
					done, results := collect(100)
					go func() {
						for range 17 {
							senders[by](parley.User("bob"), parley.Text("a"), done)
						}
					}()
					synctest.Wait()
					if by == "conn" {
						_ = w.nc.Close()
						time.Sleep(time.Minute)
					} else {
						go w.transcript()
						ctx, cancel := context.WithTimeout(t.Context(), time.Second)
						defer cancel()
						_ = hub.Close(ctx)
					}
					if r := <-results; r.err != parley.ErrClosed || r.Sent != (parley.Sent{}) {
						t.Errorf("done got %+v, want %v", r, parley.ErrClosed)
					}
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					_ = hub.Close(ctx)
				})
			})
		}
	}
}

// TestSendAsyncInConnect is put off until the connection is accepted, and fails
// where it is not.
func TestSendAsyncInConnect(t *testing.T) {
	t.Parallel()
	for _, accepted := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			hub := newHub(t, &parley.Options{Keep: keepAll()})
			done, results := collect(10)
			connect := func(c *parley.Conn) error {
				for i := range 3 {
					c.SendAsync(parley.Group("g"), parley.Text(fmt.Sprint(i)), done)
				}
				c.SendAsync(parley.Group("g"), parley.Text("not kept"), done, parley.Keep(false))
				synctest.Wait()
				if len(results) > 0 {
					t.Error("done was called before the connection was accepted")
				}
				if err := c.Send(c.Context(), parley.Group("g"), parley.Text("3")); err != nil {
					t.Error(err)
				}
				if !accepted {
					return &parley.Error{Code: parley.Forbidden}
				}
				return nil
			}
			w, _ := pipeRaw(t, hub.Handler(func() parley.Consumer { return consumer{connect: connect} }))
			_ = w.response()
			for range 4 {
				if r := <-results; accepted && r.err != nil || !accepted && r.err != parley.ErrClosed {
					t.Errorf("done got %+v where accepted is %v", r, accepted)
				}
			}
			if !accepted {
				return
			}
			var got []string
			for _, m := range kept(t, hub, parley.Group("g"), 4) {
				got = append(got, string(m.Data))
			}
			if want := []string{"0", "1", "2", "3"}; !slices.Equal(got, want) {
				t.Errorf("kept %q, want %q", got, want)
			}
		})
	}
}

// TestPanicInDone is logged, and the layer goes on.
func TestPanicInDone(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	t.Run("sends", func(t *testing.T) {
		hub := newHub(t, &parley.Options{Logger: textLogger(&log)})
		for _, to := range []parley.Address{parley.User("bob"), parley.Group("not kept"), {}} {
			hub.SendAsync(to, parley.Text("a"), func(parley.Sent, error) { panic("on purpose") })
			done, results := collect(1)
			hub.SendAsync(parley.User("bob"), parley.Text("a"), done)
			if r := await(t, results, "done"); r.err != nil {
				t.Error(r.err)
			}
		}
	})
	if n := strings.Count(log.String(), "panic in done: on purpose"); n != 3 {
		t.Errorf("%d panics are in the log, want 3: %s", n, &log)
	}
}

// TestDoneSends replies and sends from done, of what is not kept.
func TestDoneSends(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, doneSends)
}

func doneSends(t *testing.T, k kind) {
	hub := k.hub(t, nil)
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		return consumer{connect: joinEveryone, receive: func(c *parley.Conn, m parley.Message) error {
			c.SendAsync(parley.User("bob"), m, func(sent parley.Sent, err error) {
				if err := errors.Join(err, c.Reply(m), c.Send(c.Context(), parley.Everyone, m)); err != nil {
					t.Error(err)
				}
			})
			return nil
		}}
	})
	w := s.open(t)
	const n = 300
	for i := range n {
		w.send(text(fmt.Sprint(i)))
	}
	for i := range n {
		want := fmt.Sprintf("text %q", fmt.Sprint(i))
		w.expect(want, want)
	}
}
