package parley_test

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// onPolicies runs a test for each engine and each thing that becomes of slow readers.
func onPolicies(t *testing.T, test func(t *testing.T, k kind, policy parley.SlowReader)) {
	t.Helper()
	for name, policy := range map[string]parley.SlowReader{"close": parley.CloseSlow, "drop": parley.DropSlow} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, unlike, func(t *testing.T, k kind) { test(t, k, policy) })
		})
	}
}

// blob is a binary message of a size that begins with a number.
func blob(i, size int) parley.Message {
	data := make([]byte, max(size, 4))
	binary.BigEndian.PutUint32(data, uint32(i))
	return parley.Message{Binary: true, Data: data}
}

// repeats is a Deliverer that replies each message so many times.
type repeats struct {
	consumer
	times int
}

func (r repeats) Deliver(c *parley.Conn, m parley.Message) error {
	for range r.times {
		if err := c.Reply(m); err != nil {
			return err
		}
	}
	return nil
}

// doubles is a Deliverer whose frames are twice as long as its messages.
type doubles struct{ repeats }

func (doubles) Encode(m parley.Message) (parley.Message, error) {
	m.Data = append(m.Data[:len(m.Data):len(m.Data)], m.Data...)
	return m, nil
}

// TestDelivererLosesNothing has a Deliverer reply kept messages to a client that reads
// late, many more bytes than may wait for it: nothing is dropped, or closed for that,
// and the next connection goes on where the last one was acknowledged.
func TestDelivererLosesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		queue, size, n, times int
		wrap                  func(consumer) parley.Consumer
	}{
		"large messages":         {0, 600 << 10, 24, 1, nil},
		"a small queue":          {64 << 10, 30 << 10, 400, 1, nil},
		"the smallest queue":     {1, 8 << 10, 600, 1, nil},
		"several replies":        {256 << 10, 100 << 10, 40, 4, nil},
		"small, several replies": {64 << 10, 100, 900, 100, nil},
		"an encoder":             {256 << 10, 100 << 10, 60, 2, func(c consumer) parley.Consumer { return doubles{repeats{c, 2}} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onPolicies(t, func(t *testing.T, k kind, policy parley.SlowReader) {
				hub := k.hub(t, &parley.Options{SlowReader: policy, Limits: parley.Limits{SendQueueBytes: c.queue}})
				wrap := c.wrap
				if wrap == nil {
					wrap = func(inner consumer) parley.Consumer { return repeats{inner, c.times} }
				}
				m := newMail(t, k, hub, wrap)
				w := m.as(t, "bob", nil)
				for i := range c.n {
					if err := hub.Send(t.Context(), bob, blob(i, c.size)); err != nil {
						t.Fatal(err)
					}
				}
				total := c.n * c.times
				if first := w.repeated(0, total/2, c.times); first != 0 {
					t.Fatalf("the first connection began with %d", first)
				}
				if err := w.nc.Close(); err != nil {
					t.Fatal(err)
				}
				if first := m.as(t, "bob", nil).repeated(-1, total, c.times); first > total/2/c.times {
					t.Errorf("the second connection began with %d", first)
				}
				if stats := hub.Stats(); stats.SlowDropped+stats.SlowClosed > 0 {
					t.Errorf("got %+v", stats)
				}
			})
		})
	}
}

// repeated reads replies until the last one, in order, and returns the number of the
// message that they began with. It answers pings.
func (w *wire) repeated(from, until, times int) (first int) {
	w.t.Helper()
	first = from
	for at := from * times; at < until; {
		op, payload, err := w.read()
		if err != nil {
			w.t.Fatalf("before reply %d: %v", at, err)
		}
		switch {
		case op == opPing:
			w.send(frame(fin|opPong, string(payload)))
			continue
		case op != opBinary:
			w.t.Fatalf("before reply %d came %s", at, inWords(op, payload))
		}
		number := int(binary.BigEndian.Uint32(payload))
		if first < 0 {
			first, at = number, number*times
		}
		if number != at/times {
			w.t.Fatalf("for reply %d came one to %d", at, number)
		}
		at++
	}
	return first
}

// TestLargeLiveMessage has a live kept message wait for a client that is larger than all
// that may: nothing else is dropped, or the connection closed, for that.
func TestLargeLiveMessage(t *testing.T) {
	t.Parallel()
	onPolicies(t, func(t *testing.T, k kind, policy parley.SlowReader) {
		hub := k.hub(t, &parley.Options{SlowReader: policy, Loops: 1, Limits: parley.Limits{SendQueueBytes: 64 << 10}})
		conns := make(chan *parley.Conn, 2)
		m := newMail(t, k, hub, nil)
		as := func(device string) *wire {
			return m.connects(t, func(c *parley.Conn) error {
				conns <- c
				return c.Identify("bob", &parley.JoinOptions{Device: device})
			})
		}
		w, witness := as("late"), as("at once")
		w.quiet()
		witness.quiet()
		if err := hub.Send(t.Context(), bob, blob(7, 8<<20)); err != nil {
			t.Fatal(err)
		}
		witness.repeated(7, 8, 1)
		if err := (<-conns).Reply(parley.Text("hello")); err != nil {
			t.Fatal(err)
		}
		w.repeated(7, 8, 1)
		w.expectMessage(`text "hello"`)
		if stats := hub.Stats(); stats.SlowDropped+stats.SlowClosed > 0 {
			t.Errorf("got %+v", stats)
		}
	})
}

// TestLargeMessageInHand has a Deliverer busy with a kept message that is larger than
// all that may wait for its client: one that is not kept is not dropped for that.
func TestLargeMessageInHand(t *testing.T) {
	t.Parallel()
	onPolicies(t, func(t *testing.T, k kind, policy parley.SlowReader) {
		hub := k.hub(t, &parley.Options{SlowReader: policy, Limits: parley.Limits{SendQueueBytes: 64 << 10}})
		busy, free := make(chan struct{}, 1), make(chan struct{})
		m := newMail(t, k, hub, func(c consumer) parley.Consumer {
			return deliverer{c, func(c *parley.Conn, m parley.Message) error {
				if len(m.Data) > 1<<20 {
					busy <- struct{}{}
					<-free
				}
				return c.Reply(m)
			}}
		})
		w := m.as(t, "bob", nil)
		if err := hub.Send(t.Context(), bob, blob(0, 2<<20)); err != nil {
			t.Fatal(err)
		}
		await(t, busy, "Deliver")
		for range 3 {
			if err := hub.Send(t.Context(), bob, parley.Text("hello"), parley.Keep(false)); err != nil {
				t.Fatal(err)
			}
		}
		w.quiet()
		close(free)
		w.repeated(0, 1, 1)
		for range 3 {
			w.expectMessage(`text "hello"`)
		}
		if stats := hub.Stats(); stats.SlowDropped+stats.SlowClosed > 0 {
			t.Errorf("got %+v", stats)
		}
	})
}

// TestReplyWaitsUntilTheEnd has a reply to a kept message wait for a client that does
// not read, when its connection ends: it returns ErrClosed, and the message was not
// acknowledged.
func TestReplyWaitsUntilTheEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, c *parley.Conn, w *wire){
		"the client resets": func(t *testing.T, _ *parley.Conn, w *wire) { reset(t, w) },
		"the client closes": func(t *testing.T, _ *parley.Conn, w *wire) { w.send(closing(1000, "")) },
		"the program closes": func(t *testing.T, c *parley.Conn, _ *wire) {
			if err := c.Close(parley.CloseKicked, ""); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, unlike, func(t *testing.T, k kind) {
				hub := k.hub(t, &parley.Options{Limits: parley.Limits{CloseTimeout: 300 * time.Millisecond}})
				replied, conns := make(chan error, 1), make(chan *parley.Conn, 1)
				m := newMail(t, k, hub, func(inner consumer) parley.Consumer {
					return deliverer{inner, func(c *parley.Conn, m parley.Message) error {
						if len(m.Data) < 100 {
							return c.Reply(m)
						}
						select {
						case conns <- c:
						default:
						}
						for {
							if err := c.Reply(m); err != nil {
								replied <- err
								return nil
							}
						}
					}}
				})
				w := m.as(t, "bob", nil)
				if err := hub.Send(t.Context(), bob, blob(0, 1<<20)); err != nil {
					t.Fatal(err)
				}
				end(t, await(t, conns, "Deliver"), w)
				if err := await(t, replied, "the reply's end"); err != parley.ErrClosed {
					t.Errorf("Reply returned %v, want ErrClosed", err)
				}
				if stats := hub.Stats(); stats.SlowDropped+stats.SlowClosed > 0 {
					t.Errorf("got %+v", stats)
				}
				again := m.as(t, "bob", nil)
				again.repeated(0, 1, 1)
				_ = again.nc.Close()
				await(t, replied, "the other reply's end")
			})
		})
	}
}

// TestExceptIsAcknowledged leaves a connection out of kept messages, live and in pages:
// the next one of its device does not get them.
func TestExceptIsAcknowledged(t *testing.T) {
	t.Parallel()
	t.Run("live", func(t *testing.T) {
		t.Parallel()
		onWraps(t, engines, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
			leavesOut(t, newMail(t, k, k.hub(t, &parley.Options{Loops: 1}), wrap), func() {})
		})
	})
	t.Run("in pages", func(t *testing.T) {
		t.Parallel()
		onAll(t, engines, func(t *testing.T, k kind) {
			free := make(chan struct{})
			hub := k.hub(t, &parley.Options{Loops: 1, Limits: parley.Limits{DeliverQueue: 2}})
			leavesOut(t, newMail(t, k, hub, func(c consumer) parley.Consumer {
				return deliverer{c, func(c *parley.Conn, m parley.Message) error {
					<-free
					return c.Reply(m)
				}}
			}), func() { close(free) })
		})
	})
}

// leavesOut leaves a connection out of four of five messages.
func leavesOut(t *testing.T, m *mail, free func()) {
	const n = 20
	var c *parley.Conn
	w := m.connects(t, func(conn *parley.Conn) error { c = conn; return conn.Identify("bob", nil) })
	witness := m.as(t, "bob", &parley.JoinOptions{Device: "witness"})
	w.quiet()
	witness.quiet()
	for i := range n {
		var options []parley.SendOption
		if i%5 > 0 {
			options = append(options, parley.Except(c))
		}
		if err := m.hub.Send(t.Context(), bob, blob(i, 4), options...); err != nil {
			t.Fatal(err)
		}
	}
	free()
	witness.repeated(0, n, 1) // the loop handed all of them over, or has pages read
	for i := 0; i < n; i += 5 {
		w.repeated(i, i+1, 1)
	}
	w.answers()
	w.send(closing(1000, ""))
	w.expectMessage("close 1000")
	w.expect("eof")
	m.as(t, "bob", nil).quiet()
}

// answers answers pings until the server has no more to ask. There is one to come.
func (w *wire) answers() {
	w.t.Helper()
	for asked := false; ; {
		w.quiet()
		if w.asked == "" && asked {
			return
		}
		if number, err := strconv.Unquote(strings.TrimPrefix(w.asked, "ping ")); err == nil {
			asked, w.asked = true, ""
			w.send(frame(fin|opPong, number))
		}
	}
}
