package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// clientFrame returns a frame as a client sends it.
func clientFrame(op ws.OpCode, payload string) []byte {
	f := ws.MaskFrame(ws.NewFrame(op, true, []byte(payload)))
	return ws.MustCompileFrame(f)
}

// TestFinalizeWhileReaderWaits ends a connection whose reader waits for room in
// the mailbox that only the loop, which ends it, can make.
func TestFinalizeWhileReaderWaits(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Portable = true
	cfg.MailboxBytes = 1 // one post
	e := newTestEngine(t, cfg)
	l, h := e.loops[0], newRecorder()
	arrived := make(chan bool, 1)
	h.receive = func([]Message) bool { arrived <- true; return true }
	server, client := tcpPair(t)
	c := open(t, e, server, h)
	check(t, c.Start(nil))

	begun, goOn := make(chan bool), make(chan bool)
	finalize := func() {
		close(begun)
		<-goOn
		l.finalize(c, codeAbnormal)
	}
	if err := l.put(t.Context(), post{kind: postDo, do: finalize}); err != nil {
		t.Fatal(err)
	}
	await(t, begun, "the loop")
	if err := l.put(t.Context(), post{kind: postDo, do: func() {}}); err != nil { // takes the room
		t.Fatal(err)
	}
	if _, err := client.Write(append(clientFrame(ws.OpText, "a"), clientFrame(ws.OpPing, "b")...)); err != nil {
		t.Fatal(err)
	}
	await(t, arrived, "the reader")
	close(goOn)
	await(t, h.closed, "Closed")
	onLoop(t, l, func() {})
	if _, err := io.Copy(io.Discard, client); err != nil && !isReset(err) {
		t.Error(err)
	}
}

// TestFloodDoesNotHoldLoop ends connections whose peers never stop sending.
func TestFloodDoesNotHoldLoop(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.CloseTimeout = 50 * time.Millisecond
		e := newTestEngine(t, cfg)
		h := newRecorder()
		server, client := k.pair(t)
		c := open(t, e, server, h)
		flood := make([]byte, 1<<20) // no frames: the connection fails, and drops the rest
		gone := make(chan error, 2)
		for range cap(gone) {
			go func() {
				for {
					if _, err := client.Write(flood); err != nil {
						gone <- err
						return
					}
				}
			}()
		}
		check(t, c.Start(nil))
		if code := await(t, h.closed, "Closed"); code != codeProtocol {
			t.Errorf("closed with %d, want %d", code, codeProtocol)
		}
		for range cap(gone) {
			await(t, gone, "the end of the connection")
		}
	})
}

// TestCloseOfEngineDuringOpen opens connections while the engine closes: each
// is either refused, or told that it is over, and ended in any case.
func TestCloseOfEngineDuringOpen(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		for range 100 {
			e := NewEngine(k.config())
			h := newRecorder()
			server, client := k.pair(t)
			opened := make(chan bool)
			go func() {
				c := &Conn{}
				err := e.Open(c, server, nil, h)
				if err == nil {
					_ = c.Start(nil)
				}
				opened <- err == nil
			}()
			closed := make(chan bool)
			go func() {
				defer close(closed)
				e.Close()
			}()
			if await(t, opened, "Open") {
				await(t, h.closed, "Closed")
			}
			await(t, closed, "Close of the engine")
			if n, err := client.Read(make([]byte, 1)); n > 0 || isTimeout(err) {
				t.Errorf("the client read %d bytes and %v, want the end", n, err)
			}
			_ = client.Close()
		}
	})
}

func isReset(err error) bool {
	_, is := err.(*net.OpError)
	return is && !isTimeout(err)
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
