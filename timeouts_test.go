package parley_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// TestHandshakeTimeout refuses clients whose Connect takes too long. One that
// does not read the answer is the write timeout's.
func TestHandshakeTimeout(t *testing.T) {
	t.Parallel()
	limits := parley.Limits{HandshakeTimeout: 3 * time.Second, WriteTimeout: 2 * time.Second}
	for name, slow := range map[string]func(*parley.Conn){
		"waits for its context": func(c *parley.Conn) { <-c.Request().Context().Done() },
		"takes its time":        func(*parley.Conn) { time.Sleep(4 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				code := make(chan parley.CloseCode, 1)
				hub := newHub(t, &parley.Options{Limits: limits})
				w, _ := pipeRaw(t, hub.Handler(func() parley.Consumer {
					return consumer{
						connect:    func(c *parley.Conn) error { slow(c); return joinEveryone(c) },
						disconnect: func(_ *parley.Conn, c parley.CloseCode) { code <- c },
					}
				}))
				if got := w.response().StatusCode; got != http.StatusServiceUnavailable {
					t.Errorf("got status %d, want 503", got)
				}
				if got := <-code; got != parley.CloseAbnormal {
					t.Errorf("Disconnect got %v, want %v", got, parley.CloseAbnormal)
				}
			})
		})
	}
	t.Run("returns its context's error", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			hub := newHub(t, &parley.Options{Limits: limits})
			w, _ := pipeRaw(t, hub.Handler(func() parley.Consumer {
				return consumer{connect: func(c *parley.Conn) error {
					<-c.Request().Context().Done()
					return c.Request().Context().Err()
				}}
			}))
			if got := w.response().StatusCode; got != http.StatusServiceUnavailable {
				t.Errorf("got status %d, want 503", got)
			}
		})
	})
	t.Run("answer not read", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			start, code := time.Now(), make(chan parley.CloseCode, 1)
			hub := newHub(t, &parley.Options{Limits: limits})
			pipeRaw(t, hub.Handler(func() parley.Consumer {
				return consumer{connect: joinEveryone, disconnect: func(_ *parley.Conn, c parley.CloseCode) { code <- c }}
			}))
			if got := <-code; got != parley.CloseNoProgress || time.Since(start) != limits.WriteTimeout {
				t.Errorf("Disconnect got %v after %v", got, time.Since(start))
			}
		})
	})
}

// TestTimeouts ends connections whose clients stop reading, answering pings, or
// finishing the closing handshake, each when its limit says.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits  parley.Limits
		receive func(*parley.Conn, parley.Message) error
		reads   bool
		code    parley.CloseCode
		after   time.Duration
		stats   parley.Stats
	}{
		"WriteTimeout": {
			parley.Limits{WriteTimeout: 2 * time.Second},
			func(c *parley.Conn, m parley.Message) error { return c.Reply(m) }, false,
			parley.CloseNoProgress, 2 * time.Second,
			parley.Stats{SlowClosed: 1},
		},
		"CloseTimeout": {
			parley.Limits{CloseTimeout: 3 * time.Second},
			func(c *parley.Conn, _ parley.Message) error { return c.Close(4003, "") }, true,
			parley.CloseKicked, 3 * time.Second,
			parley.Stats{},
		},
		"PingInterval": {
			parley.Limits{PingInterval: 4 * time.Second},
			func(*parley.Conn, parley.Message) error { return nil }, true,
			parley.CloseAbnormal, 12 * time.Second,
			parley.Stats{DeadClosed: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				code := make(chan parley.CloseCode, 1)
				hub := newHub(t, &parley.Options{Limits: c.limits})
				w, _ := pipe(t, hub.Handler(func() parley.Consumer {
					return consumer{receive: c.receive, disconnect: func(_ *parley.Conn, c parley.CloseCode) { code <- c }}
				}))
				start := time.Now()
				w.send(text("a"))
				if c.reads {
					go w.transcript()
				}
				got, after := <-code, time.Since(start)
				if got != c.code || after < c.after*9/10 || after > c.after*5/4 {
					t.Errorf("Disconnect got %v after %v, want %v after %v", got, after, c.code, c.after)
				}
				synctest.Wait()
				if stats := hub.Stats(); stats != c.stats {
					t.Errorf("got %+v, want %+v", stats, c.stats)
				}
			})
		})
	}
}
