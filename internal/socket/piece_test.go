package socket

import "testing"

// TestPieceKeepsNoLargeBufferAlive holds what an outbox keeps alive to twice
// what it counts.
func TestPieceKeepsNoLargeBufferAlive(t *testing.T) {
	t.Parallel()
	frame := Frame(true, make([]byte, 998))
	var shared []byte
	for range 10 {
		shared = append(shared, frame...)
	}
	for _, fit := range []int{1, 4, 5, 9} {
		o := &outbox{}
		rest, ok := o.offer(shared, fit*len(frame)+entryCost, len(shared))
		if want := (10 - fit) * len(frame); !ok || len(rest) != want {
			t.Fatalf("%d frames fit: %d bytes are left, want %d", fit, len(rest), want)
		}
		if alive := cap(o.queue[0]); alive > 3*o.bytes {
			t.Errorf("%d frames fit: %d bytes are kept alive for %d", fit, alive, o.bytes)
		}
	}
}
