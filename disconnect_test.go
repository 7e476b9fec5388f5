package parley_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// endings are the ways in which a connection ends, with the code of Disconnect.
var endings = map[string]struct {
	end  func(t *testing.T, w *wire, c *parley.Conn)
	code parley.CloseCode
}{
	"close frame": {func(_ *testing.T, w *wire, _ *parley.Conn) {
		w.send(closing(3999, ""))
		w.expect("close 3999", "eof")
	}, 3999},
	"close frame, twice, and the end of TCP": {func(_ *testing.T, w *wire, _ *parley.Conn) {
		w.send(closing(1000, ""), closing(1001, ""))
		_ = w.nc.Close()
	}, parley.CloseNormal},
	"empty close frame": {func(_ *testing.T, w *wire, _ *parley.Conn) {
		w.send(frame(fin|opClose, ""))
		w.expect("close", "eof")
	}, parley.CloseNoStatus},
	"end of TCP": {func(_ *testing.T, w *wire, _ *parley.Conn) { _ = w.nc.Close() }, parley.CloseAbnormal},
	"half of a frame": {func(_ *testing.T, w *wire, _ *parley.Conn) {
		w.send(text("abc")[:7])
		w.endWriting()
		w.expect("eof")
	}, parley.CloseAbnormal},
	"reset": {func(t *testing.T, w *wire, _ *parley.Conn) { reset(t, w) }, parley.CloseAbnormal},
	"Close of the consumer, twice": {func(t *testing.T, w *wire, c *parley.Conn) {
		if err := errors.Join(c.Close(parley.CloseKicked, ""), c.Close(parley.CloseReplaced, "")); err != nil {
			t.Error(err)
		}
		w.expect("close 4003")
		w.send(closing(1000, ""))
		w.expect("eof")
	}, parley.CloseKicked},
	"Close of the consumer, then a reset": {func(t *testing.T, w *wire, c *parley.Conn) {
		if err := c.Close(parley.CloseKicked, ""); err != nil {
			t.Error(err)
		}
		w.expect("close 4003")
		reset(t, w)
	}, parley.CloseKicked},
	"a breach of the protocol": {func(_ *testing.T, w *wire, _ *parley.Conn) {
		w.send("\xff\xff")
		w.send("\xff\xff")
		w.send(strings.Repeat("\xff", 100))
		w.expect("close 1002")
		_ = w.nc.Close()
	}, parley.CloseProtocolError},
	"Close of the hub": {func(t *testing.T, w *wire, c *parley.Conn) {
		go func() {
			w.expect("close 1001")
			w.send(closing(1001, ""))
		}()
		hubCloses(t, c.Hub())
	}, parley.CloseGoingAway},
	"Close of the hub at its deadline": {func(t *testing.T, w *wire, c *parley.Conn) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		closed := make(chan error, 1)
		go func() { closed <- c.Hub().Close(ctx) }()
		w.expect("close 1001")
		cancel()
		if err := await(t, closed, "Close"); !errors.Is(err, context.Canceled) {
			t.Errorf("Close returned %v, want %v", err, context.Canceled)
		}
	}, parley.CloseGoingAway},
	"panic": {func(_ *testing.T, w *wire, _ *parley.Conn) {
		w.send(text("panic"))
		w.expect("close 1011")
		w.send(closing(1011, ""))
		w.expect("eof")
	}, parley.CloseInternalError},
}

// TestDisconnectOnce calls Disconnect exactly once, last, and with the right
// code, however a connection ends.
func TestDisconnectOnce(t *testing.T) {
	t.Parallel()
	for name, e := range endings {
		for _, k := range kinds {
			t.Run(name+"/"+k.String(), func(t *testing.T) {
				t.Parallel()
				hub := k.hub(t, nil)
				conns, codes := make(chan *parley.Conn, 1), make(chan parley.CloseCode, 2)
				s := newSite(t, k.transport, hub, func() parley.Consumer {
					return consumer{
						connect:    func(c *parley.Conn) error { conns <- c; return joinEveryone(c) },
						receive:    func(*parley.Conn, parley.Message) error { panic("asked for") },
						disconnect: func(_ *parley.Conn, code parley.CloseCode) { codes <- code },
					}
				})
				w := s.open(t)
				c := await(t, conns, "Connect")
				e.end(t, w, c)
				if code := await(t, codes, "Disconnect"); code != e.code {
					t.Errorf("Disconnect got %v, want %v", code, e.code)
				}
				await(t, c.Context().Done(), "the end of the context")
				if err := c.Reply(parley.Text("a")); err != parley.ErrClosed {
					t.Errorf("Reply returned %v, want %v", err, parley.ErrClosed)
				}
				_ = w.nc.Close()
				if err := hub.Close(t.Context()); err != nil && err != parley.ErrClosed {
					t.Error(err)
				}
				if len(codes) > 0 {
					t.Errorf("Disconnect was called again, with %v", <-codes)
				}
				if n := hub.Stats().Connections; n != 0 {
					t.Errorf("%d connections are left", n)
				}
			})
		}
	}
}

// TestDisconnectAfterSilentDeath is TestDisconnectOnce for a client that fell
// silent, in the middle of a call that blocks and in none.
func TestDisconnectAfterSilentDeath(t *testing.T) {
	t.Parallel()
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprint("busy ", busy), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				codes := make(chan parley.CloseCode, 2)
				var ended time.Duration
				start := time.Now()
				hub := newHub(t, &parley.Options{Limits: parley.Limits{PingInterval: 10 * time.Second, CloseTimeout: 3 * time.Second}})
				w, _ := pipe(t, hub.Handler(func() parley.Consumer {
					return consumer{
						receive: func(c *parley.Conn, _ parley.Message) error {
							if busy {
								<-c.Context().Done()
								ended = time.Since(start)
							}
							return nil
						},
						disconnect: func(_ *parley.Conn, code parley.CloseCode) { codes <- code },
					}
				}))
				w.send(text("a"))
				if frames := w.transcript(); len(frames) != 1 || frames[0] != `ping ""` {
					t.Errorf("got %q, want a ping first", frames)
				}
				w.expect(`ping ""`, "eof")
				if code := <-codes; code != parley.CloseAbnormal {
					t.Errorf("Disconnect got %v", code)
				}
				if want := 33 * time.Second; busy && (ended < want*9/10 || ended > want*11/10) {
					t.Errorf("the context ended after %v, want %v", ended, want)
				}
				hubCloses(t, hub)
				if len(codes) > 0 {
					t.Errorf("Disconnect was called again, with %v", <-codes)
				}
			})
		})
	}
}

// TestDisconnectAfterFailedUpgrade calls Disconnect for connections that Connect
// accepted, and that cannot be upgraded.
func TestDisconnectAfterFailedUpgrade(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, failedUpgrade)
}

func failedUpgrade(t *testing.T, k kind) {
	codes := make(chan parley.CloseCode, 2)
	hub := k.hub(t, nil)
	factory := func() parley.Consumer {
		return consumer{connect: joinEveryone, disconnect: func(_ *parley.Conn, code parley.CloseCode) { codes <- code }}
	}
	handler := hub.Handler(factory)
	for name, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"cannot be taken":     func(w http.ResponseWriter) http.ResponseWriter { return struct{ http.ResponseWriter }{w} },
		"is closed meanwhile": func(w http.ResponseWriter) http.ResponseWriter { return closedHijacker{w} },
	} {
		s := serve(t, k.transport, hub, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(wrap(w), r) }))
		w := s.connect(t)
		w.send(handshake)
		if code := await(t, codes, "Disconnect"); code != parley.CloseAbnormal {
			t.Errorf("%s: Disconnect got %v", name, code)
		}
		if strings.HasPrefix(name, "cannot") {
			if got := w.response().StatusCode; got != http.StatusInternalServerError {
				t.Errorf("%s: got status %d, want 500", name, got)
			}
		} else {
			w.expect("eof")
		}
	}
	hubCloses(t, hub)
	if len(codes) > 0 {
		t.Errorf("Disconnect was called again, with %v", <-codes)
	}
}

// closedHijacker gives away a connection that is closed.
type closedHijacker struct{ http.ResponseWriter }

func (h closedHijacker) Hijack() (nc net.Conn, rw *bufio.ReadWriter, err error) {
	nc, rw, err = http.NewResponseController(h.ResponseWriter).Hijack()
	if err == nil {
		err = nc.Close()
	}
	return nc, rw, err
}

// TestCloseDuringConnect closes the hub while Connect runs: Close waits for it,
// the client is told to go, and later ones are refused.
func TestCloseDuringConnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, nil)
		goOn := make(chan bool)
		var disconnects atomic.Int32
		handler := hub.Handler(func() parley.Consumer {
			return consumer{
				connect:    func(*parley.Conn) error { <-goOn; return nil },
				disconnect: func(*parley.Conn, parley.CloseCode) { disconnects.Add(1) },
			}
		})
		w, _ := pipeRaw(t, handler)
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- hub.Close(t.Context()) }()
		synctest.Wait()
		late, _ := pipeRaw(t, handler)
		if got := late.response().StatusCode; got != http.StatusServiceUnavailable {
			t.Errorf("got status %d of a hub that closes, want 503", got)
		}
		close(goOn)
		w.accepted()
		w.expect("close 1001")
		w.send(closing(1001, ""))
		w.expect("eof")
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if n := disconnects.Load(); n != 1 {
			t.Errorf("Disconnect was called %d times", n)
		}
	})
}

// TestAllIsReceivedBeforeDisconnect has clients send much, and leave at once,
// one way or another.
func TestAllIsReceivedBeforeDisconnect(t *testing.T) {
	t.Parallel()
	const messages = 500
	for name, leave := range map[string]func(w *wire){
		"close frame":       func(w *wire) { w.send(closing(1000, "")) },
		"end of writing":    func(w *wire) { w.endWriting() },
		"breach":            func(w *wire) { w.send(frame(fin|3, "")) },
		"frame cut":         func(w *wire) { w.send("\x81"); w.endWriting() },
		"breach and an end": func(w *wire) { w.send(frame(fin|3, "")); w.endWriting() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, kinds, func(t *testing.T, k kind) {
				received, last := 0, make(chan int, 1)
				w := newSite(t, k.transport, k.hub(t, nil), func() parley.Consumer {
					return consumer{
						receive:    func(*parley.Conn, parley.Message) error { received++; return nil },
						disconnect: func(*parley.Conn, parley.CloseCode) { last <- received },
					}
				}).open(t)
				w.send(strings.Repeat(text("a"), messages))
				leave(w)
				w.transcript()
				_ = w.nc.Close()
				if n := await(t, last, "Disconnect"); n != messages {
					t.Errorf("received %d messages before Disconnect, want %d", n, messages)
				}
			})
		})
	}
}

// TestSendInDisconnect lets consumers say goodbye with their own context, also
// when the hub closes.
func TestSendInDisconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, nil)
		handler := hub.Handler(func() parley.Consumer {
			return consumer{connect: joinEveryone, disconnect: func(c *parley.Conn, _ parley.CloseCode) {
				if err := c.Context().Err(); err != nil {
					t.Errorf("the context ended before Disconnect: %v", err)
				}
				if err := toEveryone(c, parley.Text("goodbye")); err != nil {
					t.Error(err)
				}
			}}
		})
		w, _ := pipe(t, handler)
		other, _ := pipe(t, handler)
		synctest.Wait()
		w.send(closing(1000, ""))
		w.expect("close 1000", "eof")
		other.expect(`text "goodbye"`)
		closed := make(chan bool)
		go func() {
			defer close(closed)
			hubCloses(t, hub)
		}()
		other.expect("close 1001")
		other.send(closing(1001, ""))
		other.expect("eof")
		<-closed
	})
}
