package socket

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

const beat = 10 * time.Second

// pipe opens a connection on a pipe, inside a bubble, and returns the client's
// end of it.
func pipe(t *testing.T, cfg Config) (*Engine, *Conn, *recorder, net.Conn) {
	t.Helper()
	e := NewEngine(cfg)
	t.Cleanup(e.Close)
	server, client := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	h := newRecorder()
	return e, open(t, e, server, h), h, client
}

func beating() Config {
	cfg := testConfig()
	cfg.PingInterval = beat
	return cfg
}

// frames reads the server's frames until the connection ends.
func frames(client net.Conn) (opcodes []ws.OpCode) {
	for {
		f, err := readFrame(client)
		if err != nil {
			return opcodes
		}
		opcodes = append(opcodes, f.Header.OpCode)
	}
}

// TestHeartbeatFindsDeath ends a connection whose peer fell silent, after two
// pings.
func TestHeartbeatFindsDeath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, c, h, client := pipe(t, beating())
		check(t, c.Start(nil))
		start := time.Now()
		got := frames(client)
		if len(got) != 2 || got[0] != ws.OpPing || got[1] != ws.OpPing {
			t.Errorf("got %v, want two pings", got)
		}
		if code := <-h.closed; code != codeAbnormal {
			t.Errorf("closed with %d, want %d", code, codeAbnormal)
		}
		if after := time.Since(start); after < 3*beat-beat/4 || after > 3*beat {
			t.Errorf("found after %v, want %v, or up to a quarter of %v less", after, 3*beat, beat)
		}
		if dead := e.Stats().DeadClosed.Load(); dead != 1 {
			t.Errorf("DeadClosed is %d, want 1", dead)
		}
	})
}

// TestHeartbeatSparesTheLiving leaves connections alone that show life.
func TestHeartbeatSparesTheLiving(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(client net.Conn){
		"pongs": func(client net.Conn) {
			for {
				f, err := readFrame(client)
				if err != nil {
					return
				}
				if _, err := client.Write(clientFrame(ws.OpPong, string(f.Payload))); err != nil {
					return
				}
			}
		},
		"messages alone": func(client net.Conn) {
			go func() { _, _ = io.Copy(io.Discard, client) }()
			for {
				if _, err := client.Write(clientFrame(ws.OpText, "a")); err != nil {
					return
				}
				time.Sleep(beat * 3 / 2)
			}
		},
		"one long message": func(client net.Conn) {
			go func() { _, _ = io.Copy(io.Discard, client) }()
			for _, b := range clientFrame(ws.OpText, "a message that takes its time") {
				if _, err := client.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(beat)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e, c, h, client := pipe(t, beating())
				check(t, c.Start(nil))
				done := make(chan struct{})
				go func() {
					defer close(done)
					answer(client)
				}()
				time.Sleep(20 * beat)
				select {
				case code := <-h.closed:
					t.Errorf("closed with %d", code)
				default:
				}
				if dead := e.Stats().DeadClosed.Load(); dead != 0 {
					t.Errorf("DeadClosed is %d", dead)
				}
				_ = client.Close()
				<-done
			})
		})
	}
}

// TestHeartbeatSparesThePaused leaves a connection alone that is not read, and
// goes on counting when it is read again.
func TestHeartbeatSparesThePaused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, c, h, client := pipe(t, beating())
		h.receive = func([]Message) bool { return false }
		check(t, c.Start(nil))
		go func() { _, _ = io.Copy(io.Discard, client) }()
		if _, err := client.Write(clientFrame(ws.OpText, "a")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * beat)
		synctest.Wait()
		if dead := e.Stats().DeadClosed.Load(); dead != 0 {
			t.Fatalf("DeadClosed is %d while reading is paused", dead)
		}
		check(t, c.Resume())
		<-h.closed
		if dead := e.Stats().DeadClosed.Load(); dead != 1 {
			t.Errorf("DeadClosed is %d, want 1", dead)
		}
	})
}

// TestWriteTimeout ends a connection of which nothing is taken.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.WriteTimeout = 7 * time.Second
		e, c, h, _ := pipe(t, cfg)
		check(t, c.Start(nil))
		if err := c.Write(t.Context(), Frame(false, []byte("a")), false); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if code := <-h.closed; code != cfg.SlowCloseCode {
			t.Errorf("closed with %d, want %d", code, cfg.SlowCloseCode)
		}
		if after := time.Since(start); after != cfg.WriteTimeout {
			t.Errorf("closed after %v, want %v", after, cfg.WriteTimeout)
		}
		if slow := e.Stats().SlowClosed.Load(); slow != 1 {
			t.Errorf("SlowClosed is %d, want 1", slow)
		}
	})
}

// TestCloseTimeout ends connections whose peers do not finish the closing
// handshake, or whose handlers do not.
func TestCloseTimeout(t *testing.T) {
	t.Parallel()
	const timeout, twice = 4 * time.Second, ", nor the client"
	for name, begin := range map[string]func(c *Conn, client net.Conn) error{
		"no answer to our close frame": func(c *Conn, client net.Conn) error {
			go func() { _, _ = io.Copy(io.Discard, client) }()
			return c.Close(codeNormal, "")
		},
		"our close frame is not read": func(c *Conn, _ net.Conn) error { return c.Close(codeNormal, "") },
		"the handler does not answer": func(_ *Conn, client net.Conn) error {
			go func() { _, _ = io.Copy(io.Discard, client) }()
			_, err := client.Write(clientFrame(ws.OpClose, "\x03\xe8"))
			return err
		},
		"the handler does not answer" + twice: func(_ *Conn, client net.Conn) error { // our answer is not read
			_, err := client.Write(clientFrame(ws.OpClose, "\x03\xe8"))
			return err
		},
		"after a breach": func(_ *Conn, client net.Conn) error {
			go func() { _, _ = io.Copy(io.Discard, client) }()
			_, err := client.Write(bytes.Repeat([]byte{0xff}, 20))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig()
				cfg.CloseTimeout = timeout
				_, c, h, client := pipe(t, cfg)
				check(t, c.Start(nil))
				start := time.Now()
				if err := begin(c, client); err != nil {
					t.Fatal(err)
				}
				want := timeout
				if strings.HasSuffix(name, twice) {
					want = 2 * timeout
				}
				code := <-h.closed
				if after := time.Since(start); after < want || after > want*5/4 {
					t.Errorf("closed after %v with %d, want %v", after, code, want)
				}
			})
		})
	}
}
