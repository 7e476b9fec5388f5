package parleytest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHub returns a hub that the test closes when it ends.
func newHub(t testing.TB, opts *parley.Options) *parley.Hub {
	hub := parley.NewHub(opts)
	t.Cleanup(func() {
		if err := hub.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("closing the hub: %v", err)
		}
	})
	return hub
}

// echo joins the lobby, and answers with what it received.
type echo struct{ parley.Base }

func (echo) Connect(c *parley.Conn) error { return c.Join(parley.Group("lobby"), nil) }

func (echo) Receive(c *parley.Conn, m parley.Message) error {
	if string(m.Data) == "bye" {
		return &parley.Error{Code: parley.Forbidden, Message: "go away"}
	}
	return c.Reply(m)
}

func newEcho() parley.Consumer { return echo{} }

func dialEcho(t testing.TB, opts *parleytest.Options) (*parleytest.Communicator, *parley.Hub) {
	hub := newHub(t, nil)
	return parleytest.Dial(t, hub.Handler(newEcho, "v2", "v1"), "/", opts), hub
}

func TestSendAndReceive(t *testing.T) {
	t.Parallel()
	c, _ := dialEcho(t, nil)
	c.Send("hello")
	c.SendBinary([]byte{0, 255})
	c.SendJSON(map[string]int{"n": 3})
	if got := c.Receive(); got != "hello" {
		t.Errorf("got %q", got)
	}
	if got := c.ReceiveBinary(); len(got) != 2 || got[1] != 255 {
		t.Errorf("got %v", got)
	}
	var v struct{ N int }
	if c.ReceiveJSON(&v); v.N != 3 {
		t.Errorf("got %v", v)
	}
	c.ReceiveNothing()
}

// What Connect joined counts as soon as Dial returns.
func TestJoinedOnceDialed(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	handler := hub.Handler(newEcho)
	for range 50 {
		c := parleytest.Dial(t, handler, "/", nil)
		if err := hub.Send(t.Context(), parley.Group("lobby"), parley.Text("all")); err != nil {
			t.Fatal(err)
		}
		if got := c.Receive(); got != "all" {
			t.Errorf("got %q", got)
		}
		c.Cut()
	}
}

func TestPingKeepsMessages(t *testing.T) {
	t.Parallel()
	c, hub := dialEcho(t, nil)
	for _, s := range []string{"one", "two"} {
		if err := hub.Send(t.Context(), parley.Group("lobby"), parley.Text(s)); err != nil {
			t.Fatal(err)
		}
	}
	c.Ping()
	c.Ping()
	if one, two := c.Receive(), c.Receive(); one != "one" || two != "two" {
		t.Errorf("got %q, %q", one, two)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	for _, code := range []parley.CloseCode{parley.CloseNormal, parley.CloseNoStatus, 4999} {
		c, _ := dialEcho(t, nil)
		c.Send("last")
		c.Close(code)
		if got := c.Receive(); got != "last" {
			t.Errorf("got %q", got)
		}
		if got := c.CloseCode(); got != code {
			t.Errorf("got %v, want %v", got, code)
		}
	}
}

func TestServerCloses(t *testing.T) {
	t.Parallel()
	c, _ := dialEcho(t, nil)
	c.Send("bye")
	if got := c.CloseCode(); got != parley.ClosePolicyViolation {
		t.Errorf("got %v", got)
	}
	if got := c.CloseReason(); got != "go away" {
		t.Errorf("got %q", got)
	}
}

func TestSubprotocolAndHeaders(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	var request *http.Request
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request = r
		w.Header().Set("X-Answer", "42")
		hub.Handler(newEcho, "v2", "v1").ServeHTTP(w, r)
	})
	c := parleytest.Dial(t, handler, "/a%2Fb/?q=1", &parleytest.Options{
		Header:       http.Header{"Cookie": {"a=b"}, "Host": {"chat.example"}},
		Subprotocols: []string{"v1", "v0"},
	})
	if got := c.Subprotocol(); got != "v1" {
		t.Errorf("subprotocol %q", got)
	}
	if got := c.Header().Get("X-Answer"); got != "42" {
		t.Errorf("answer %q", got)
	}
	if request.Host != "chat.example" || request.Header.Get("Cookie") != "a=b" || request.RequestURI != "/a%2Fb/?q=1" {
		t.Errorf("got %s %s %v", request.Host, request.RequestURI, request.Header)
	}
}

func TestDialURL(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	server := httptest.NewServer(hub.Handler(newEcho))
	t.Cleanup(server.Close)
	tls := httptest.NewTLSServer(hub.Handler(newEcho))
	t.Cleanup(tls.Close)
	for _, url := range []string{server.URL + "/", "ws://" + server.Listener.Addr().String(), tls.URL} {
		c := parleytest.DialURL(t, url, &parleytest.Options{
			TLS: tls.Client().Transport.(*http.Transport).TLSClientConfig,
		})
		c.Send("hello")
		if got := c.Receive(); got != "hello" {
			t.Errorf("%s: got %q", url, got)
		}
	}
}

type guarded struct{ parley.Base }

func (guarded) Connect(*parley.Conn) error {
	return &parley.Error{Code: parley.Unauthenticated, Message: "who are you?"}
}

func TestDialRefused(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	handler := hub.Handler(func() parley.Consumer { return guarded{} })
	got := parleytest.DialRefused(t, handler, "/", nil)
	if got.Status != http.StatusUnauthorized || got.Body != "unauthenticated: who are you?\n" {
		t.Errorf("got %+v", got)
	}
	got = parleytest.DialRefused(t, handler, "/", &parleytest.Options{
		Header: http.Header{"Origin": {"https://elsewhere.example"}}, InMemory: true,
	})
	if got.Status != http.StatusForbidden {
		t.Errorf("got %+v", got)
	}
}
