package disklayer

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestMassExpiry has PARLEY_EXPIRED logs, every tenth with a device, become too old at
// once. The store's own sweeps drop all of them, and messages are accepted meanwhile.
func TestMassExpiry(t *testing.T) {
	t.Parallel()
	logs := fromEnv("PARLEY_EXPIRED", 3000)
	c := &testClock{}
	cfg := testConfig(t.TempDir())
	cfg.read, cfg.sweepEvery = c.read, time.Hour
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: anHour})
	var appended sync.WaitGroup
	for i := range logs {
		appended.Add(1)
		to := parley.User(fmt.Sprint(i))
		e := parley.Envelope{Message: parley.Message{To: to, Data: make([]byte, 100)}}
		err := link.Append(t.Context(), e, func(sent parley.Sent, err error) {
			defer appended.Done()
			if err != nil {
				t.Error(err)
			} else if i%10 == 0 {
				link.Advance(to, "phone", sent.Cursor)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	appended.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.sweepEvery = time.Millisecond
	l = mustOpen(t, cfg)
	link = l.Attach(&hub{keep: anHour})
	c.pass(3 * time.Hour)
	began := time.Now()
	longest := time.Duration(0)
	for tick := time.Tick(100 * time.Millisecond); left(t, l.store) > 0; <-tick {
		sent := time.Now()
		mustSend(t, link, parley.Group("meanwhile"), "data")
		longest = max(longest, time.Since(sent))
	}
	t.Logf("%d logs expired within %v; accepting a message took %v at most", logs, time.Since(began), longest)
}

// left returns how many messages to users, their logs and their cursors are on the
// disk, up to three.
func left(t *testing.T, s *store) (n int) {
	t.Helper()
	for _, kind := range []byte{keyLog, keyCursor, keyMessage} {
		keys, _, err := s.keys([]byte{kind, 'u'}, []byte{kind, 'u' + 1}, 1)
		if err != nil {
			t.Fatal(err)
		}
		n += len(keys)
	}
	return n
}
