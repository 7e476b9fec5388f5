package parley_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/parley-rt/parley"
)

// shouter is an Encoder, which counts.
type shouter struct {
	consumer
	encoded *atomic.Int32
}

func (s shouter) Encode(m parley.Message) (parley.Message, error) {
	s.encoded.Add(1)
	switch string(m.Data) {
	case "error":
		return m, errors.New("no words")
	case "panic":
		panic("no words")
	}
	return parley.Text(strings.ToUpper(string(m.Data))), nil
}

// TestEncoder encodes each message once for all connections of one handler, and
// leaves out those that cannot be.
func TestEncoder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var encoded atomic.Int32
		replies := make(chan error, 1)
		hub := newHub(t, &parley.Options{Logger: textLogger(&log)})
		shouts := hub.Handler(func() parley.Consumer {
			return shouter{consumer{connect: joinEveryone, receive: func(c *parley.Conn, m parley.Message) error {
				replies <- c.Reply(m)
				return nil
			}}, &encoded}
		})
		speaks := hub.Handler(func() parley.Consumer { return consumer{connect: joinEveryone} })
		var loud, quiet []*wire
		for range 5 {
			l, _ := pipe(t, shouts)
			q, _ := pipe(t, speaks)
			loud, quiet = append(loud, l), append(quiet, q)
		}
		synctest.Wait()
		for _, m := range []string{"a", "error", "panic", "b"} {
			if err := hub.Send(t.Context(), parley.Everyone, parley.Text(m)); err != nil {
				t.Fatal(err)
			}
			for i := range loud {
				if m == "a" || m == "b" {
					loud[i].expect(fmt.Sprintf("text %q", strings.ToUpper(m)))
				}
				quiet[i].expect(fmt.Sprintf("text %q", m))
			}
		}
		if n := encoded.Load(); n != 4 {
			t.Errorf("4 messages were encoded %d times", n)
		}
		if n := strings.Count(log.String(), "not encoded"); n != 2 {
			t.Errorf("%d failures were logged, want 2: %s", n, log.String())
		}
		for _, m := range []string{"error", "panic"} {
			loud[0].send(text(m))
			if err := <-replies; err == nil || !strings.Contains(err.Error(), "no words") {
				t.Errorf("Reply returned %v", err)
			}
		}
		loud[0].send(text("c"))
		loud[0].expect(`text "C"`)
	})
}
