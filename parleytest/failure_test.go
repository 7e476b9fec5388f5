package parleytest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

// fakeTB stands for a test that is expected to fail.
type fakeTB struct {
	testing.TB // what is not written below is never called

	ctx      context.Context
	mu       sync.Mutex // guards what follows
	failure  string
	cleanups []func()
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Context() context.Context { return f.ctx }

func (f *fakeTB) Cleanup(cleanup func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleanups = append(f.cleanups, cleanup)
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.mu.Lock()
	f.failure = fmt.Sprintf(format, args...)
	f.mu.Unlock()
	runtime.Goexit()
}

// failureOf runs a test that is expected to fail, and returns what it said.
func failureOf(t *testing.T, test func(t testing.TB)) string {
	fake := &fakeTB{ctx: t.Context()}
	var running sync.WaitGroup
	running.Go(func() { test(fake) })
	running.Wait()
	for i := len(fake.cleanups); i > 0; i-- {
		fake.cleanups[i-1]()
	}
	if fake.failure == "" {
		t.Error("the test passed, expected a failure")
	}
	return fake.failure
}

func TestFailuresSayWhatWasSeen(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	handler := hub.Handler(newEcho)
	soon := &parleytest.Options{Timeout: 50 * time.Millisecond}
	tests := map[string]struct {
		opts *parleytest.Options
		test func(c *parleytest.Communicator)
		want string
	}{
		"nothing": {soon, func(c *parleytest.Communicator) { c.Receive() }, "Receive: nothing was received within 50ms"},
		"binary for text": {nil, func(c *parleytest.Communicator) {
			c.SendBinary([]byte{1, 2})
			c.Receive()
		}, `Receive: received binary data "\x01\x02"`},
		"text for binary": {nil, func(c *parleytest.Communicator) {
			c.Send("hello")
			c.ReceiveBinary()
		}, `ReceiveBinary: received the text "hello"`},
		"not JSON": {nil, func(c *parleytest.Communicator) {
			c.Send("hello")
			c.ReceiveJSON(new(any))
		}, `ReceiveJSON: invalid character 'h' looking for beginning of value in "hello"`},
		"much": {nil, func(c *parleytest.Communicator) {
			c.Send(strings.Repeat("x", 1000))
			c.ReceiveNothingFor(time.Minute)
		}, `ReceiveNothingFor(1m0s): received the text "` + strings.Repeat("x", 300) + `"… (1000 bytes)`},
		"closed": {nil, func(c *parleytest.Communicator) {
			c.Send("bye")
			c.Receive()
		}, `Receive: the connection was closed with 1008`},
		"sending when closed": {nil, func(c *parleytest.Communicator) {
			c.Close(parley.CloseNormal)
			c.Send("hello")
		}, `Send: the connection was closed with 1000`},
		"silent when closed": {nil, func(c *parleytest.Communicator) {
			c.Close(parley.CloseNormal)
			c.ReceiveNothing()
		}, `ReceiveNothing: the connection was closed with 1000`},
		"something": {nil, func(c *parleytest.Communicator) {
			if err := hub.Send(t.Context(), parley.Group("lobby"), parley.Text("hello")); err != nil {
				t.Error(err)
			}
			c.ReceiveNothing()
		}, `ReceiveNothing: received the text "hello"`},
		"still open":        {soon, func(c *parleytest.Communicator) { c.CloseCode() }, "CloseCode: the connection is still open after 50ms"},
		"message for close": {nil, func(c *parleytest.Communicator) { c.Send("hello"); c.CloseReason() }, `CloseReason: received the text "hello"`},
		"cut": {nil, func(c *parleytest.Communicator) {
			c.Cut()
			c.Receive()
		}, `Receive: the connection was lost: `},
		"ping when cut": {nil, func(c *parleytest.Communicator) {
			c.Cut()
			c.Ping()
		}, `Ping: the connection was lost: `},
		"unencodable": {nil, func(c *parleytest.Communicator) { c.SendJSON(func() {}) }, "SendJSON: json: unsupported type: func()"},
		"another code": {nil, func(c *parleytest.Communicator) {
			c.Send("bye")
			c.Close(parley.CloseNormal)
		}, `Close(1000): the connection was closed with 1008`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A handler of its own, so that what one test sends to the lobby is
			// not what another receives.
			h := handler
			if name != "something" {
				h = newHub(t, nil).Handler(newEcho)
			}
			got := failureOf(t, func(t testing.TB) { tt.test(parleytest.Dial(t, h, "/", tt.opts)) })
			if !strings.HasPrefix(got, "parleytest: "+tt.want) {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestDialingFails(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	server := httptest.NewServer(http.NotFoundHandler())
	gone := server.URL
	server.Close()
	tests := map[string]struct {
		test func(t testing.TB)
		want string
	}{
		"refused": {func(t testing.TB) {
			parleytest.Dial(t, hub.Handler(func() parley.Consumer { return guarded{} }), "/", nil)
		}, "refused with 401 Unauthorized: unauthenticated: who are you?"},
		"accepted":            {func(t testing.TB) { parleytest.DialRefused(t, hub.Handler(newEcho), "/", nil) }, "the connection was accepted"},
		"no server":           {func(t testing.TB) { parleytest.DialURL(t, gone, nil) }, "connection refused"},
		"no server to refuse": {func(t testing.TB) { parleytest.DialURLRefused(t, gone, nil) }, "expected a refusal"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := failureOf(t, tt.test); !strings.Contains(got, tt.want) {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A server that breaks the protocol is told from one that closes.
func TestBrokenServers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		frame ws.Frame
		want  string
	}{
		"masked":          {ws.MaskFrame(ws.NewTextFrame([]byte("x"))), "must be not masked"},
		"not UTF-8":       {ws.NewTextFrame([]byte{0xff}), "invalid utf8"},
		"half a code":     {ws.NewCloseFrame([]byte{3}), "half a code"},
		"reserved bits":   {ws.Frame{Header: ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpText}}, "rsv bits"},
		"no continuation": {ws.NewFrame(ws.OpContinuation, true, nil), "continuation"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sendFrames(t, w, r, tt.frame) })
			got := failureOf(t, func(t testing.TB) { parleytest.Dial(t, handler, "/", nil).Receive() })
			if !strings.Contains(got, "connection was lost: ") || !strings.Contains(got, tt.want) {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}
