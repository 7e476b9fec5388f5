package socket

import (
	"io"
	"testing"
	"time"
)

// TestSteadyReaderIsNotEnded has a stream's client read much less than the kernel
// waits for before it reports room to write, but steadily: the write timeout is for
// clients that take nothing.
func TestSteadyReaderIsNotEnded(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Portable = true
	cfg.WriteTimeout, cfg.CloseTimeout = 300*time.Millisecond, 200*time.Millisecond
	cfg.QueueBytes = 64 << 20
	e := newTestEngine(t, cfg)
	server, client := tcpPair(t)
	h := newRecorder()
	c := open(t, e, server, h)
	for range 400 { // more than the kernel takes
		check(t, c.Write(t.Context(), numbered(4), false))
	}
	// Five write timeouts, in none of which a third of the buffer is read.
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		_, err := io.CopyN(io.Discard, client, 16<<10)
		check(t, err)
		select {
		case code := <-h.closed:
			t.Fatalf("closed with %d", code)
		case <-time.After(20 * time.Millisecond): // the pace of reading
		}
	}
}
