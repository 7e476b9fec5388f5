package scenario

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// echo is a server that sends back the first n messages of each connection and then ends it.
func echo(t *testing.T, n int) netip.AddrPort {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for range n {
			kind, text, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, text) != nil {
				return // reset at the end of the test
			}
		}
	}))
	t.Cleanup(server.Close)
	return netip.MustParseAddrPort(server.Listener.Addr().String())
}

func TestTaskSurvivesTheCommandLine(t *testing.T) {
	t.Parallel()
	want := task{addr: netip.MustParseAddrPort("127.0.0.1:99"), prefix: "/p/", first: 7, count: 8, limit: 90 * time.Second}
	if got, err := parseTask(want.args()); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if !IsHolder(append([]string{"bench"}, want.args()...)) || IsHolder([]string{"bench"}) {
		t.Error("the command line is not told apart")
	}
	for _, args := range [][]string{{holderArg}, {holderArg, "x", "/p/", "y", "z", "0"}} {
		if _, err := parseTask(args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

func TestHolderObeys(t *testing.T) {
	t.Parallel()
	var answers strings.Builder
	orders := strings.NewReader("open\ncheck 3\ndance\n")
	err := hold(t.Context(), task{addr: echo(t, 100), prefix: "/", count: 10, limit: time.Minute}, orders, &answers)
	if want := "ok\nok\nunknown order \"dance\"\n"; err != nil || answers.String() != want {
		t.Errorf("got %q, %v; want %q", answers.String(), err, want)
	}
}

func TestHolderFailsWhenTheServerClosesAConnection(t *testing.T) {
	t.Parallel()
	orders, more := io.Pipe()
	t.Cleanup(func() { more.Close() })
	go io.WriteString(more, "open\n")
	job := task{addr: echo(t, 1), prefix: "/", count: 1, limit: time.Minute}
	if err := hold(t.Context(), job, orders, io.Discard); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
}
