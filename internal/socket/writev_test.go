package socket

import (
	"encoding/binary"
	"testing"
)

// TestManyPieces has one round write more pieces to a connection than the kernel
// takes in one call: at once where its buffer has the room, and else cut in the
// middle of pieces.
func TestManyPieces(t *testing.T) {
	t.Parallel()
	for name, buffer := range map[string]int{"room": 2 << 20, "no room": 4 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onKinds(t, func(t *testing.T, k kind) { manyPieces(t, k, buffer) })
		})
	}
}

func manyPieces(t *testing.T, k kind, buffer int) {
	const total, rounds = 3100, 2
	cfg := k.config()
	cfg.MailboxBytes, cfg.QueueBytes = 1<<24, 1<<24
	e := newTestEngine(t, cfg)
	server, client := k.pair(t)
	setWriteBuffer(t, server, buffer)
	c := open(t, e, server, newRecorder())
	size := func(i int) int { return 8 + i%291 }
	for round := range rounds {
		letGo := hold(t, c.loop)
		for i := range total {
			payload := make([]byte, size(i))
			binary.BigEndian.PutUint64(payload, uint64(round*total+i))
			check(t, c.Write(t.Context(), Frame(true, payload), false))
		}
		letGo()
		for i := range total {
			f, err := readFrame(client)
			check(t, err)
			if got := int(binary.BigEndian.Uint64(f.Payload)); got != round*total+i || len(f.Payload) != size(i) {
				t.Fatalf("got frame %d of %d bytes, want %d of %d", got, len(f.Payload), round*total+i, size(i))
			}
		}
	}
}
