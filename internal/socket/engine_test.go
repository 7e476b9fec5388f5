package socket

import (
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// testConfig has bounds that no test reaches by accident.
func testConfig() Config {
	return Config{
		Loops: 1, MessageBytes: 1 << 20, QueueBytes: 1 << 20, MailboxBytes: 1 << 20,
		WriteTimeout: time.Minute, CloseTimeout: time.Minute, PingInterval: time.Hour,
		ReceiveGrace: time.Hour, ReceiveRate: 1, SlowCloseCode: 4000,
	}
}

// newTestEngine starts an engine that ends with the test.
func newTestEngine(t *testing.T, cfg Config) *Engine {
	t.Helper()
	e := NewEngine(cfg)
	t.Cleanup(func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			e.Close()
		}()
		await(t, done, "Close of the engine")
	})
	return e
}

// open opens a connection on nc, with an ID of its own, that is not read yet.
func open(t *testing.T, e *Engine, nc net.Conn, h Handler) *Conn {
	t.Helper()
	c := &Conn{}
	c.ID[0], c.ID[1] = byte(e.next.Load()), byte(e.next.Load()>>8)+1
	if err := e.Open(c, nc, nil, h); err != nil {
		t.Fatal(err)
	}
	if err := c.Accept(); err != nil {
		t.Fatal(err)
	}
	for c.out.Load() != nil { // the response, none, is being written
		runtime.Gosched()
	}
	return c
}

// onLoop runs f on a loop and waits for it.
func onLoop(t *testing.T, l *Loop, f func()) {
	t.Helper()
	done := make(chan struct{})
	if err := l.put(t.Context(), post{kind: postDo, do: func() { defer close(done); f() }}); err != nil {
		t.Fatal(err)
	}
	await(t, done, "the loop")
}

// hold has a loop wait until the function that it returns is called.
func hold(t *testing.T, l *Loop) (letGo func()) {
	t.Helper()
	held, let := make(chan struct{}), make(chan struct{})
	letGo = sync.OnceFunc(func() { close(let) })
	t.Cleanup(letGo)
	check(t, l.put(t.Context(), post{kind: postDo, do: func() { close(held); <-let }}))
	await(t, held, "the loop")
	return letGo
}

// await waits for a value, or for the end, of a channel.
func await[T any](t *testing.T, ch <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// stuckConn is a connection that nothing comes from, and whose writes wait until
// the test lets them fail or go on.
type stuckConn struct {
	net.Conn
	writing chan []byte // gets what is to be written
	result  chan error
	once    sync.Once
	end     chan struct{}
}

func newStuckConn() *stuckConn {
	return &stuckConn{writing: make(chan []byte), result: make(chan error), end: make(chan struct{})}
}

func (s *stuckConn) Read([]byte) (int, error) {
	<-s.end
	return 0, io.EOF
}

func (s *stuckConn) Write(b []byte) (int, error) {
	select {
	case s.writing <- b:
	case <-s.end:
		return 0, net.ErrClosed
	}
	select {
	case err := <-s.result:
		if err != nil {
			return 0, err
		}
		return len(b), nil
	case <-s.end:
		return 0, net.ErrClosed
	}
}

func (s *stuckConn) Close() error {
	s.once.Do(func() { close(s.end) })
	return nil
}

func (s *stuckConn) SetWriteDeadline(time.Time) error { return nil }

var errTest = errors.New("made by the test")

// readFrame reads a frame that the engine wrote.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}
