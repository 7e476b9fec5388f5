package socket

import (
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

const stillFor = 20 * time.Second

// lateConn stands still before one of its reads, as the whole process may.
type lateConn struct {
	net.Conn
	reads atomic.Int32
}

func (c *lateConn) Read(b []byte) (int, error) {
	if c.reads.Add(1) == 2 {
		time.Sleep(stillFor)
	}
	return c.Conn.Read(b)
}

// TestReadLate has a message be read late whose client was not: it is taken, however
// many reads that needs. One of which something is missing is too slow.
func TestReadLate(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]struct{ size, missing int }{
		"one read":         {1000, 0},
		"many reads":       {10 * streamBytes, 0},
		"one byte less":    {1000, 1},
		"a header":         {1000, 1000},
		"many, and no end": {10 * streamBytes, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := slowly(testConfig())
				e := NewEngine(cfg)
				t.Cleanup(e.Close)
				server, client := net.Pipe()
				t.Cleanup(func() { _ = client.Close() })
				h, got := newRecorder(), make(chan int, 1)
				h.receive = func(messages []Message) bool { got <- len(messages[0].Data); return true }
				check(t, open(t, e, &lateConn{Conn: server}, h).Start(nil))
				go func() { _, _ = io.Copy(io.Discard, client) }()
				start, frame := time.Now(), clientFrame(ws.OpText, string(make([]byte, m.size)))
				send(t, client, frame[:1])
				go func() { _, _ = client.Write(frame[1 : len(frame)-m.missing]) }()
				select {
				case n := <-got:
					if n != m.size || m.missing > 0 {
						t.Errorf("got %d bytes, want %d but for %d", n, m.size, m.missing)
					}
				case code := <-h.closed:
					earned := time.Duration(m.size/cfg.ReceiveRate) * time.Second
					after := time.Since(start) - cfg.CloseTimeout
					if code != codePolicy || m.missing == 0 || after > max(stillFor, cfg.ReceiveGrace+earned)+time.Second {
						t.Errorf("closed with %d after %v", code, after)
					}
				}
			})
		})
	}
}

// TestSlowTakerOfStream is TestSlowTakerIsNotStalled for a goroutine that writes.
func TestSlowTakerOfStream(t *testing.T) {
	t.Parallel()
	for _, k := range kinds[2:4] {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			cfg := backlogged(k)
			cfg.WriteTimeout = 3 * time.Second
			e, h := newTestEngine(t, cfg), newRecorder()
			server, client := k.pair(t)
			setWriteBuffer(t, server, 2<<20)
			c := open(t, e, server, h)
			for range 16 {
				check(t, c.Write(t.Context(), Frame(true, make([]byte, 1<<20)), false))
			}
			for range 2 {
				queued := c.queued()
				_, err := io.CopyN(io.Discard, client, 512<<10)
				check(t, err)
				untilTrue(t, "some of it is written", func() bool { return c.queued() != queued || len(h.closed) > 0 })
				if len(h.closed) > 0 {
					t.Fatalf("closed with %d, though it takes some", <-h.closed)
				}
			}
		})
	}
}

// bothConn returns what its second read brings together with the deadline's error, as an
// io.Reader may.
type bothConn struct {
	net.Conn
	reads int
}

func (c *bothConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.reads++; c.reads == 2 && err == nil {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// TestLateWithBytes loses nothing of what comes together with an error.
func TestLateWithBytes(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, testConfig())
	server, client := net.Pipe() // a read for each write
	h, got := newRecorder(), make(chan string, 1)
	h.receive = func(m []Message) bool { got <- string(m[0].Data); return true }
	check(t, open(t, e, &bothConn{Conn: server}, h).Start(nil))
	check(t, client.SetDeadline(time.Now().Add(patience)))
	go func() { _, _ = io.Copy(io.Discard, client) }()
	frame := clientFrame(ws.OpText, "hello world")
	for _, piece := range [][]byte{frame[:8], frame[8:12], frame[12:]} {
		_, err := client.Write(piece)
		check(t, err)
	}
	if text := await(t, got, "a message"); text != "hello world" {
		t.Errorf("got %q", text)
	}
}
