package load_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/load"
)

const limit = 10 * time.Second

// recorder keeps what a loop tells.
type recorder struct {
	texts  []string
	causes []error
}

func (r *recorder) Message(_ *load.Conn, text []byte) { r.texts = append(r.texts, string(text)) }

func (r *recorder) Closed(_ *load.Conn, cause error) { r.causes = append(r.causes, cause) }

// serve runs a WebSocket server whose connections are each handled by session.
func serve(t *testing.T, session func(*websocket.Conn) error) load.Target {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if err := session(conn); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return load.Target{Addr: netip.MustParseAddrPort(server.Listener.Addr().String()), Dialect: dialect.Plain{}}
}

// echo sends back n messages.
func echo(n int) func(*websocket.Conn) error {
	return func(conn *websocket.Conn) error {
		for range n {
			kind, text, err := conn.ReadMessage()
			if err != nil {
				return err
			}
			if err := conn.WriteMessage(kind, text); err != nil {
				return err
			}
		}
		return nil
	}
}

func newLoop(t *testing.T) (*load.Loop, *recorder) {
	t.Helper()
	loop, err := load.New(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
	})
	r := new(recorder)
	loop.Handle(r)
	return loop, r
}

func dial(t *testing.T, loop *load.Loop, to load.Target, n int) []*load.Conn {
	t.Helper()
	conns, err := loop.Dial(to, n, func(int) string { return "" }, limit)
	if err != nil {
		t.Fatal(err)
	}
	return conns
}

func until(t *testing.T, loop *load.Loop, done func() bool) {
	t.Helper()
	ok, err := loop.RunUntil(done, limit)
	if err != nil || !ok {
		t.Fatalf("waited in vain: %v", err)
	}
}

func TestManyConnectionsEcho(t *testing.T) {
	t.Parallel()
	loop, got := newLoop(t)
	const conns, messages = 200, 3
	for _, c := range dial(t, loop, serve(t, echo(messages)), conns) {
		for range messages {
			c.Send([]byte("hi"))
		}
	}
	until(t, loop, func() bool { return len(got.texts) == conns*messages })
	if strings.Join(got.texts, "") != strings.Repeat("hi", conns*messages) {
		t.Error("a message was changed")
	}
}

func TestMessagesLargerThanTheSocketTakes(t *testing.T) {
	t.Parallel()
	loop, got := newLoop(t)
	const messages = 400
	conn := dial(t, loop, serve(t, echo(messages)), 1)[0]
	text := strings.Repeat("0123456789abcdef", 4000)
	for range messages {
		conn.Send([]byte(text))
	}
	until(t, loop, func() bool { return len(got.texts) == messages })
	for i, message := range got.texts {
		if message != text {
			t.Fatalf("message %d was changed", i)
		}
	}
	if conn.Backlog() != 0 {
		t.Errorf("%d bytes are still queued", conn.Backlog())
	}
}

func TestPingIsAnswered(t *testing.T) {
	t.Parallel()
	loop, _ := newLoop(t)
	pong := make(chan string, 1)
	to := serve(t, func(conn *websocket.Conn) error {
		conn.SetPongHandler(func(payload string) error {
			pong <- payload
			return io.EOF
		})
		if err := conn.WriteMessage(websocket.PingMessage, []byte("42")); err != nil {
			return err
		}
		if _, _, err := conn.ReadMessage(); !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	})
	dial(t, loop, to, 1)
	until(t, loop, func() bool { return len(pong) == 1 })
	if got := <-pong; got != "42" {
		t.Errorf("got %q, want 42", got)
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	loop, _ := newLoop(t)
	// A read answers pings on its way; it ends with the test's reset.
	to := serve(t, func(conn *websocket.Conn) error {
		_, _, _ = conn.ReadMessage()
		return nil
	})
	conn := dial(t, loop, to, 1)[0]
	conn.Ping()
	until(t, loop, func() bool { return conn.Pongs == 1 })
}

func TestCloseFrameIsToldAndAnswered(t *testing.T) {
	t.Parallel()
	loop, got := newLoop(t)
	answered := make(chan error, 1)
	to := serve(t, func(conn *websocket.Conn) error {
		reason := websocket.FormatCloseMessage(websocket.ClosePolicyViolation, "too slow")
		if err := conn.WriteMessage(websocket.CloseMessage, reason); err != nil {
			return err
		}
		_, _, err := conn.ReadMessage()
		answered <- err
		return nil
	})
	conn := dial(t, loop, to, 1)[0]
	until(t, loop, func() bool { return len(got.causes) == 1 })
	closing, ok := errors.AsType[*load.CloseError](got.causes[0])
	if !ok || closing.Code != 1008 || closing.Reason != "too slow" {
		t.Errorf("got %v", got.causes[0])
	}
	if conn.Open() {
		t.Error("the connection counts as open")
	}
	if err := <-answered; !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
		t.Errorf("the server got %v", err)
	}
}

func TestEndWithoutCloseFrame(t *testing.T) {
	t.Parallel()
	loop, got := newLoop(t)
	dial(t, loop, serve(t, echo(0)), 1)
	until(t, loop, func() bool { return len(got.causes) == 1 })
	if !errors.Is(got.causes[0], io.EOF) {
		t.Errorf("got %v, want EOF", got.causes[0])
	}
}

func TestPausedConnectionGetsItsMessagesLater(t *testing.T) {
	t.Parallel()
	loop, got := newLoop(t)
	to := serve(t, func(conn *websocket.Conn) error {
		if err := echo(1)(conn); err != nil {
			return err
		}
		if err := conn.WriteMessage(websocket.TextMessage, []byte("later")); err != nil {
			return err
		}
		_, _, err := conn.ReadMessage()
		if !websocket.IsUnexpectedCloseError(err) {
			return nil // reset at the end of the test
		}
		return err
	})
	conns := dial(t, loop, to, 2)
	if err := conns[0].Pause(); err != nil {
		t.Fatal(err)
	}
	conns[0].Send([]byte("paused"))
	conns[1].Send([]byte("reading"))
	until(t, loop, func() bool { return len(got.texts) == 2 })
	if got.texts[0] != "reading" || got.texts[1] != "later" {
		t.Errorf("got %q", got.texts)
	}
	if err := conns[0].Resume(); err != nil {
		t.Fatal(err)
	}
	until(t, loop, func() bool { return len(got.texts) == 4 })
	if got.texts[2] != "paused" || got.texts[3] != "later" {
		t.Errorf("got %q", got.texts[2:])
	}
}

func TestDialTellsWhyItFailed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	refusing := load.Target{Addr: netip.MustParseAddrPort(server.Listener.Addr().String()), Dialect: dialect.Plain{}}
	everyone := func(int) string { return "" }

	loop, _ := newLoop(t)
	if _, err := loop.Dial(refusing, 3, everyone, limit); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("from a server without WebSockets: %v", err)
	}
	server.Close()
	if _, err := loop.Dial(refusing, 3, everyone, limit); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("without a server: %v", err)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	loop, err := load.New(ctx, limit)
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	cancel(stop)
	if err := loop.Run(time.Minute); !errors.Is(err, stop) {
		t.Errorf("got %v, want the context's cause", err)
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	loop, err := load.New(t.Context(), time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	if err := loop.Run(time.Minute); err == nil || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("got %v", err)
	}
}
