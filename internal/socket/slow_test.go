package socket

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// numbered returns a frame that says which it is, of a size that varies.
func numbered(i int) []byte {
	sizes := []int{8, 125, 126, 1000, 70_000}
	payload := make([]byte, sizes[i%len(sizes)])
	binary.BigEndian.PutUint64(payload, uint64(i))
	return Frame(true, payload)
}

// TestDropSlow writes much more than a client takes, which reads at last: what
// it gets are whole frames in order, and they and those dropped are all.
func TestDropSlow(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		const total = 3000
		cfg := k.config()
		cfg.QueueBytes, cfg.DropWhenSlow = 200_000, true
		cfg.PingInterval = 40 * time.Millisecond // pings are no messages, also where they are dropped
		e := newTestEngine(t, cfg)
		server, client := k.pair(t)
		setWriteBuffer(t, server, 16<<10)
		c := open(t, e, server, newRecorder()) // not read: the heartbeat counts nothing
		for i := range total {
			check(t, c.Write(t.Context(), numbered(i), i%7 == 0))
		}
		e.Flush()
		for range 2 { // what a round puts out, and drops, follows its posts
			onLoop(t, e.loops[0], func() {})
		}
		dropped := int(e.Stats().Dropped.Load())
		if dropped == 0 || dropped == total {
			t.Fatalf("%d of %d were dropped", dropped, total)
		}
		received, last := 0, -1
		for received+dropped < total {
			f, err := readFrame(client)
			check(t, err)
			if f.Header.OpCode.IsControl() {
				continue
			}
			if i := int(binary.BigEndian.Uint64(f.Payload)); i <= last {
				t.Fatalf("frame %d came after %d", i, last)
			} else {
				last = i
			}
			received++
		}
		check(t, c.Write(t.Context(), Frame(false, []byte("goes on")), false))
		for {
			f, err := readFrame(client)
			check(t, err)
			if string(f.Payload) == "goes on" {
				break
			}
			if !f.Header.OpCode.IsControl() {
				t.Fatal("more came than was sent, less what was dropped")
			}
		}
		if n := int(e.Stats().Dropped.Load()); n != dropped {
			t.Errorf("%d were dropped, then %d", dropped, n)
		}
	})
}

// TestCloseSlow closes the one connection that does not read, and takes no
// longer over the others.
func TestCloseSlow(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes = 100_000
		e := newTestEngine(t, cfg)
		topic := new(Topic)
		slowServer, slowClient := k.pair(t)
		server, client := k.pair(t)
		setWriteBuffer(t, slowServer, 16<<10)
		check(t, slowClient.SetReadBuffer(16<<10))
		slowHandler, handler := newRecorder(), newRecorder()
		slow := open(t, e, slowServer, slowHandler)
		slowHandler.join(t, slow, topic)
		handler.join(t, open(t, e, server, handler), topic)
		check(t, slow.Start(nil))
		got := make(chan int)
		go func() {
			for {
				f, err := readFrame(client)
				if err != nil {
					return
				}
				got <- int(binary.BigEndian.Uint64(f.Payload))
			}
		}()
		for i := 0; e.Stats().SlowClosed.Load() == 0; i++ {
			check(t, e.Publish(t.Context(), topic, Post{Frame: numbered(i)}))
			if next := await(t, got, "the message at the other connection"); next != i {
				t.Fatalf("got message %d, want %d", next, i)
			}
		}
		for {
			f, err := readFrame(slowClient)
			check(t, err)
			if f.Header.OpCode == ws.OpClose {
				if code := binary.BigEndian.Uint16(f.Payload); code != cfg.SlowCloseCode {
					t.Errorf("closed with %d, want %d", code, cfg.SlowCloseCode)
				}
				break
			}
		}
		_, err := slowClient.Write(clientFrame(ws.OpClose, "\x0f\xa0"))
		check(t, err)
		_, err = io.Copy(io.Discard, slowClient)
		check(t, err)
	})
}

// TestLargeFrameIsTaken sends an idle connection a frame that is larger than all
// that may wait for it.
func TestLargeFrameIsTaken(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes = 1
		e := newTestEngine(t, cfg)
		server, client := k.pair(t)
		c := open(t, e, server, newRecorder())
		check(t, c.Write(t.Context(), numbered(4), false))
		f, err := readFrame(client)
		check(t, err)
		if len(f.Payload) != 70_000 || e.Stats().SlowClosed.Load() != 0 {
			t.Errorf("got %d bytes, %d connections too slow", len(f.Payload), e.Stats().SlowClosed.Load())
		}
	})
}

// TestOutboxHandover has the loop and writers take turns at one connection, as
// its client reads by fits and starts: nothing is lost, doubled or disordered.
func TestOutboxHandover(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes, cfg.MailboxBytes = 1<<30, 1<<16
		e := newTestEngine(t, cfg)
		server, client := k.pair(t)
		setWriteBuffer(t, server, 64<<10) // less makes a TCP socket wait for acknowledgements that are delayed
		c := open(t, e, server, newRecorder())
		total := 8000
		if testing.Short() {
			total = 1500
		}
		r := rand.New(rand.NewPCG(3, 4))
		failed, sends := make(chan error, 1), make(chan int, total)
		go func() {
			for i := 0; i < total; {
				for range <-sends {
					payload := make([]byte, 8+i%4000)
					binary.BigEndian.PutUint64(payload, uint64(i))
					if err := c.Write(t.Context(), Frame(true, payload), i%5 != 0); err != nil {
						failed <- err
						return
					}
					i++
				}
			}
			failed <- c.Close(codeNormal, "")
		}()
		in, sent := &stutter{client, r}, 0
		for i := range total {
			if i == sent || r.IntN(20) == 0 { // all was taken, or not yet
				n := min(total-sent, 1+r.IntN(300))
				sends <- n
				sent += n
			}
			f, err := readFrame(in)
			check(t, err)
			if got := int(binary.BigEndian.Uint64(f.Payload)); got != i || len(f.Payload) != 8+i%4000 {
				t.Fatalf("got frame %d of %d bytes, want %d", got, len(f.Payload), i)
			}
		}
		check(t, await(t, failed, "the sender"))
		if f, err := readFrame(in); err != nil || f.Header.OpCode != ws.OpClose {
			t.Errorf("got %v and %v, want a close frame", f.Header, err)
		}
	})
}

// stutter reads in pieces of any size.
type stutter struct {
	io.Reader
	r *rand.Rand
}

func (s *stutter) Read(b []byte) (int, error) {
	return s.Reader.Read(b[:min(len(b), 1+s.r.IntN(2000))])
}

// setWriteBuffer has the kernel take little of what is written to a connection
// that is not read.
func setWriteBuffer(t *testing.T, nc net.Conn, n int) {
	t.Helper()
	if wrapped, ok := nc.(struct{ net.Conn }); ok {
		nc = wrapped.Conn
	}
	check(t, nc.(peer).SetWriteBuffer(n))
}

// TestPongsOfSlow pings from a client that does not read, whose queue is full: it is
// not closed for that, and gets an answer to its last ping when it reads.
func TestPongsOfSlow(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes = 20_000
		e := newTestEngine(t, cfg)
		l := e.loops[0]
		server, client := k.pair(t)
		setWriteBuffer(t, server, 16<<10)
		check(t, client.SetReadBuffer(16<<10))
		c := open(t, e, server, newRecorder())
		check(t, c.Start(nil))
		pings, lastPayload := 0, ""
		waits := func() (is bool) {
			for full := false; !full; {
				onLoop(t, l, func() {
					full = cfg.QueueBytes-c.queued() < len(Frame(true, nil))+2*entryCost
					if !full {
						l.write(c, [][]byte{Frame(true, make([]byte, min(1000, cfg.QueueBytes-c.queued()-entryCost-4)))})
					}
				})
			}
			for range 10 {
				pings++
				lastPayload = fmt.Sprintf("%0125d", pings)
				_, err := client.Write(clientFrame(ws.OpPing, lastPayload))
				check(t, err)
			}
			onLoop(t, l, func() {
				if o := c.out.Load(); o != nil {
					o.mu.Lock()
					defer o.mu.Unlock()
					is = o.pong != nil
				}
			})
			return is
		}
		untilTrue(t, "a pong has no room", waits)
		for last := ""; last != lastPayload; {
			f, err := readFrame(client)
			check(t, err)
			switch {
			case f.Header.OpCode == ws.OpClose:
				t.Fatalf("closed: %q", f.Payload)
			case f.Header.OpCode == ws.OpPong && string(f.Payload) <= last:
				t.Fatalf("pong %s came after %s", f.Payload, last)
			case f.Header.OpCode == ws.OpPong:
				last = string(f.Payload)
			}
		}
	})
}
