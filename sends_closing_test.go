package parley_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// sender makes consumers that send each message to bob, and tell how it went.
func sender(told chan<- string) func() parley.Consumer {
	return func() parley.Consumer {
		return consumer{
			receive: func(c *parley.Conn, m parley.Message) error {
				c.SendAsync(parley.User("bob"), m, func(_ parley.Sent, err error) { told <- fmt.Sprint("done ", err) })
				told <- "received"
				return nil
			},
			disconnect: func(_ *parley.Conn, code parley.CloseCode) { told <- fmt.Sprint("disconnect ", uint16(code)) },
		}
	}
}

// TestCloseIsAnsweredOnceSafe answers a close frame when all that was sent before
// is safe, and calls Disconnect then.
func TestCloseIsAnsweredOnceSafe(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, closeAnsweredOnceSafe)
}

func closeAnsweredOnceSafe(t *testing.T, k kind) {
	layer, safe := late()
	hub := k.hub(t, &parley.Options{Layer: layer, Limits: parley.Limits{CloseTimeout: time.Minute}})
	told := make(chan string, 10)
	s := newSite(t, k.transport, hub, sender(told))
	w := s.open(t)
	w.send(text("a"), text("b"), closing(3000, ""))
	expect := func(want string) {
		t.Helper()
		if got := await(t, told, want); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	expect("received")
	expect("received")
	await(t, safe, "the first message")()
	expect("done <nil>")
	last := await(t, safe, "the second message")
	if err := w.nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if b, err := w.r.Peek(1); err == nil {
		t.Errorf("the server sent %#x before the last message was safe", b)
	}
	extend(t, w.nc)
	if len(told) > 0 {
		t.Errorf("got %s before the last message was safe", <-told)
	}
	last()
	expect("done <nil>")
	w.expect("close 3000", "eof")
	expect("disconnect 3000")
}

// TestStressCloseMeansSafe has clients send and close at once: whoever sees the
// answer knows that all was safe.
func TestStressCloseMeansSafe(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, closeMeansSafe)
}

func closeMeansSafe(t *testing.T, k kind) {
	const clients, n = 20, 50
	layer, safe := late()
	hub := k.hub(t, &parley.Options{Layer: layer, Limits: parley.Limits{SendsInFlight: 8, CloseTimeout: time.Minute}})
	counts := make(chan *atomic.Int64, clients)
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		sent := new(atomic.Int64)
		return consumer{
			connect: func(*parley.Conn) error { counts <- sent; return nil },
			receive: func(c *parley.Conn, m parley.Message) error {
				c.SendAsync(parley.User("bob"), m, func(_ parley.Sent, err error) {
					if err == nil {
						sent.Add(1)
					}
				})
				return nil
			},
		}
	})
	var wires []*wire
	var sents []*atomic.Int64
	for range clients {
		wires = append(wires, s.open(t))
		sents = append(sents, await(t, counts, "Connect"))
	}
	for _, w := range wires {
		for i := range n {
			w.send(text(fmt.Sprint(i)))
		}
		w.send(closing(1000, ""))
	}
	go func() {
		for range clients * n {
			(<-safe)()
		}
	}()
	for i, w := range wires {
		w.expect("close 1000")
		if got := sents[i].Load(); got != n {
			t.Errorf("the close frame was answered when %d messages were safe, want %d", got, n)
		}
	}
}

// TestSendDelaysAnswer has Send in Receive do the same.
func TestSendDelaysAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		layer, safe := late()
		hub := newHub(t, &parley.Options{Layer: layer})
		receive := func(c *parley.Conn, m parley.Message) error { return c.Send(c.Context(), parley.User("bob"), m) }
		w, writes := pipe(t, hub.Handler(func() parley.Consumer { return consumer{receive: receive} }))
		writes.taken()
		w.send(text("a"), closing(1000, ""))
		makeSafe := <-safe
		synctest.Wait()
		if n := writes.taken(); n > 0 {
			t.Error("the close frame was answered before the message was safe")
		}
		makeSafe()
		w.expect("close 1000", "eof")
	})
}

// TestCloseIsAnsweredInTime answers at Limits.CloseTimeout all the same, and
// calls Disconnect before long.
func TestCloseIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	const timeout = 7 * time.Second
	for name, end := range map[string]func(w *wire){
		"close frame": func(w *wire) {
			start := time.Now()
			w.send(closing(3000, ""))
			w.expect("close 1013", "eof")
			if waited := time.Since(start); waited < timeout || waited > 2*timeout {
				t.Errorf("the answer took %v, want %v", waited, timeout)
			}
		},
		"lost": func(w *wire) { _ = w.nc.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			layer, safe := late()
			hub := newHub(t, &parley.Options{Layer: layer, Limits: parley.Limits{CloseTimeout: timeout}})
			told := make(chan string, 10)
			w, _ := pipe(t, hub.Handler(sender(told)))
			w.send(text("a"))
			if got := <-told; got != "received" {
				t.Errorf("%s: got %s", name, got)
			}
			end(w)
			start := time.Now()
			synctest.Wait()
			if len(told) > 0 {
				t.Errorf("%s: got %s before the message was safe", name, <-told)
			}
			got := <-told
			if waited := time.Since(start); waited != timeout || got != "disconnect 3000" && got != "disconnect 1006" {
				t.Errorf("%s: got %s after %v, want Disconnect after %v", name, got, waited, timeout)
			}
			(<-safe)()
			synctest.Wait()
			if got := <-told; got != "done <nil>" || len(told) > 0 {
				t.Errorf("%s: got %s, and %d more", name, got, len(told))
			}
		})
	}
}

// TestDisconnectComesAfterDones waits for what a lost connection had sent.
func TestDisconnectComesAfterDones(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		layer, safe := late()
		hub := newHub(t, &parley.Options{Layer: layer})
		told := make(chan string, 10)
		w, _ := pipe(t, hub.Handler(sender(told)))
		w.send(text("a"))
		<-told
		_ = w.nc.Close()
		time.Sleep(time.Second)
		(<-safe)()
		for _, want := range []string{"done <nil>", "disconnect 1006"} {
			if got := <-told; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		synctest.Wait()
		if n := hub.Stats().Connections; n > 0 || len(told) > 0 {
			t.Errorf("%d connections and %d calls are left", n, len(told))
		}
	})
}

// TestHubCloseWaitsForSends returns when all is safe that was sent, and closes
// the layer's link last.
func TestHubCloseWaitsForSends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		layer, safe := late()
		linkClosed := false
		layer.(*meddling).close = func() { linkClosed = true }
		hub := newHub(t, &parley.Options{Layer: layer})
		sent, closed := make(chan error, 1), make(chan error, 1)
		done, results := collect(10)
		go func() { sent <- hub.Send(t.Context(), parley.User("bob"), parley.Text("a")) }()
		hub.SendAsync(parley.User("bob"), parley.Text("b"), done)
		synctest.Wait()
		go func() { closed <- hub.Close(t.Context()) }()
		synctest.Wait()
		if len(closed) > 0 || linkClosed {
			t.Error("Close went on before all was safe")
		}
		if err := hub.Send(t.Context(), parley.User("bob"), parley.Text("too late")); err != parley.ErrClosed {
			t.Errorf("Send returned %v, want %v", err, parley.ErrClosed)
		}
		hub.SendAsync(parley.User("bob"), parley.Text("too late"), done)
		if r := <-results; r.err != parley.ErrClosed {
			t.Errorf("done got %+v, want %v", r, parley.ErrClosed)
		}
		(<-safe)()
		(<-safe)()
		if err := errors.Join(<-sent, (<-results).err, <-closed); err != nil || !linkClosed {
			t.Errorf("got %v, and the link is closed: %v", err, linkClosed)
		}
	})
}

// TestHubCloseDoesNotWaitForever gives up on what is not safe when ctx ends.
func TestHubCloseDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		layer, safe := late()
		stuck := make(chan bool)
		layer.(*meddling).close = func() { // calls every done, as layers do
			<-stuck
			for len(safe) > 0 {
				(<-safe)()
			}
		}
		hub := newHub(t, &parley.Options{Layer: layer})
		told := make(chan string, 10)
		w, _ := pipe(t, hub.Handler(sender(told)))
		w.send(text("a"))
		go w.transcript()
		sent := make(chan error, 1)
		go func() { sent <- hub.Send(t.Context(), parley.User("bob"), parley.Text("a")) }()
		synctest.Wait()
		<-told
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := hub.Close(ctx)
		const want = "parley: 1 connections were left: context deadline exceeded\n" +
			"parley: 2 messages were not known to be safe: context deadline exceeded"
		if err == nil || err.Error() != want {
			t.Errorf("Close returned %v, want %s", err, want)
		}
		if err := <-sent; codeOf(err) != parley.Unavailable || !errors.Is(err, parley.ErrClosed) {
			t.Errorf("Send returned %v, want it to say that it does not know", err)
		}
		synctest.Wait()
		if got := <-told; got != "disconnect 1001" || len(told) > 0 {
			t.Errorf("got %s first", got)
		}
		close(stuck)
		if got := <-told; got != "done <nil>" {
			t.Errorf("got %s", got)
		}
	})
}
