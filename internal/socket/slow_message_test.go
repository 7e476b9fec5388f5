package socket

import (
	"encoding/binary"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// slowly has a message take no more than 5 s, and its bytes at 100 a second.
func slowly(cfg Config) Config {
	cfg.ReceiveGrace, cfg.ReceiveRate = 5*time.Second, 100
	return cfg
}

// codeOf returns the code of a close frame.
func codeOf(t *testing.T, f ws.Frame) uint16 {
	t.Helper()
	if f.Header.OpCode != ws.OpClose || len(f.Payload) < 2 {
		t.Fatalf("got %v with %q, want a close frame with a code", f.Header, f.Payload)
	}
	return binary.BigEndian.Uint16(f.Payload)
}

// TestSlowMessage sends a message byte by byte: at less than the rate the
// connection fails once the grace is used up, at more it does not.
func TestSlowMessage(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]time.Duration{
		"stops":      time.Minute,
		"too slow":   20 * time.Millisecond,
		"slow":       11 * time.Millisecond,
		"slow start": 9 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, c, h, client := pipe(t, slowly(testConfig()))
				got := make(chan int, 1)
				h.receive = func(messages []Message) bool { got <- len(messages[0].Data); return true }
				check(t, c.Start(nil))
				const size = 3000
				start, sent := time.Now(), make(chan struct{})
				defer func() { _, _ = client.Close(), <-sent }()
				go func() {
					defer close(sent)
					for i, b := range clientFrame(ws.OpText, string(make([]byte, size))) {
						if i == 7 && name == "slow start" {
							time.Sleep(4 * time.Second)
						}
						if _, err := client.Write([]byte{b}); err != nil {
							return
						}
						time.Sleep(pause)
					}
				}()
				if name == "slow" || name == "slow start" { // 3008 bytes: 33 s, of the 35 s there are
					if n := <-got; n != size {
						t.Errorf("got %d bytes, want %d", n, size)
					}
					return
				}
				f, err := readFrame(client)
				check(t, err)
				if code := codeOf(t, f); code != codePolicy {
					t.Errorf("closed with %d, want %d", code, codePolicy)
				}
				want := 5 * time.Second
				if name == "too slow" { // half of what is needed
					want *= 2
				}
				if after := time.Since(start); (after - want).Abs() > 100*time.Millisecond {
					t.Errorf("closed after %v, want %v", after, want)
				}
				_ = client.Close()
				<-h.closed
			})
		})
	}
}

// TestSlowMessagePolled is the same on a loop that is told what time it is.
func TestSlowMessagePolled(t *testing.T) {
	t.Parallel()
	cfg := slowly(testConfig())
	e := newTestEngine(t, cfg)
	l, h := e.loops[0], newRecorder()
	server, client := tcpPair(t)
	c := open(t, e, server, h)
	if _, is := c.io.(*stream); is {
		t.Skip("nothing is polled here")
	}
	check(t, c.Start(nil))
	frame, sent := clientFrame(ws.OpText, string(make([]byte, 3000))), 0
	now := time.Now()
	after := func(d time.Duration, bytes int) {
		send(t, client, frame[sent:sent+bytes])
		sent += bytes
		untilReceived(t, c, sent)
		now = now.Add(d)
		onLoop(t, l, func() { l.checkPartial(now) })
	}
	after(0, 1) // starts the clock
	after(5*time.Second, 0)
	after(time.Second, 100)
	after(9*time.Second, 900)
	after(0, 0)
	if len(h.closed) > 0 {
		t.Fatal("closed too early")
	}
	after(time.Millisecond, 0)
	f, err := readFrame(client)
	check(t, err)
	if code := codeOf(t, f); code != codePolicy {
		t.Errorf("closed with %d, want %d", code, codePolicy)
	}
	onLoop(t, l, func() { l.checkPartial(now) })
	onLoop(t, l, func() {
		if n := len(l.partial); n > 0 {
			t.Errorf("the loop holds %d connections in the middle of a message", n)
		}
	})
}

// untilReceived waits until a polled connection holds n bytes of a message.
func untilReceived(t *testing.T, c *Conn, n int) {
	t.Helper()
	got := -1
	for start := time.Now(); got != n; {
		onLoop(t, c.loop, func() {
			if p := c.decoder.part; p != nil {
				got = int(p.got) + ws.HeaderSize(p.frame)
				if !p.inFrame {
					got = len(p.head)
				}
			}
		})
		if time.Since(start) > patience {
			t.Fatalf("the connection holds %d bytes, want %d", got, n)
		}
	}
}

func send(t *testing.T, client io.Writer, b []byte) {
	t.Helper()
	_, err := client.Write(b)
	check(t, err)
}

// TestPausedMessageIsNotSlow stops the clock of a message while its connection
// is not read.
func TestPausedMessageIsNotSlow(t *testing.T) {
	t.Parallel()
	begin := append(clientFrame(ws.OpText, "whole"), fragment(ws.OpText, "begun")...)
	t.Run("portable", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			_, c, h, client := pipe(t, slowly(testConfig()))
			got := make(chan string, 2)
			h.receive = func(messages []Message) bool { got <- string(messages[0].Data); return false }
			check(t, c.Start(nil))
			send(t, client, begin)
			<-got
			time.Sleep(time.Hour)
			check(t, c.Resume())
			time.Sleep(4 * time.Second)
			send(t, client, clientFrame(ws.OpContinuation, " and ended"))
			if m := <-got; m != "begun and ended" {
				t.Errorf("got %q", m)
			}
			_ = client.Close()
		})
	})
	t.Run("polled", func(t *testing.T) {
		t.Parallel()
		e := newTestEngine(t, slowly(testConfig()))
		l, h := e.loops[0], newRecorder()
		server, client := tcpPair(t)
		got := make(chan string, 2)
		h.receive = func(messages []Message) bool { got <- string(messages[0].Data); return false }
		c := open(t, e, server, h)
		if _, is := c.io.(*stream); is {
			t.Skip("nothing is polled here")
		}
		check(t, c.Start(nil))
		send(t, client, begin)
		await(t, got, "the first message")
		now := time.Now()
		for range 100 {
			now = now.Add(time.Hour)
			onLoop(t, l, func() { l.checkPartial(now) })
		}
		check(t, c.Resume())
		for range 3 {
			onLoop(t, l, func() { l.checkPartial(now) })
			now = now.Add(2 * time.Second)
		}
		send(t, client, clientFrame(ws.OpContinuation, " and ended"))
		if m := await(t, got, "the second message"); m != "begun and ended" {
			t.Errorf("got %q", m)
		}
	})
}

// TestCloseWithinMessage has the peer close in the middle of a message, which
// never ends: it is not held against it, however long the handler takes to answer.
func TestCloseWithinMessage(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.ReceiveGrace, cfg.ReceiveRate = time.Nanosecond, 1<<30
		e := newTestEngine(t, cfg)
		h, peerClosed := newRecorder(), make(chan uint16, 1)
		h.peer = func(code uint16) { peerClosed <- code }
		server, client := k.pair(t)
		c := open(t, e, server, h)
		check(t, c.Start(nil))
		send(t, client, append(fragment(ws.OpText, "begun"), clientFrame(ws.OpClose, "\x0f\xa1")...))
		await(t, peerClosed, "PeerClose")
		for range 3 {
			onLoop(t, c.loop, func() { c.loop.beat(time.Now().Add(time.Second)) })
		}
		check(t, c.Close(4001, ""))
		f, err := readFrame(client)
		check(t, err)
		if code := codeOf(t, f); code != 4001 {
			t.Errorf("our close frame says %d, want %d", code, 4001)
		}
		if code := await(t, h.closed, "Closed"); code != 4001 {
			t.Errorf("closed with %d, want %d", code, 4001)
		}
	})
}
