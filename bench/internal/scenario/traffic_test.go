package scenario

import (
	"testing"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
)

func TestPairsAreOfDifferentUsers(t *testing.T) {
	t.Parallel()
	const users = 20
	sent, got, pairs := make([]int, users), make([]int, users), make(map[[2]int]bool)
	for n := range users * (users - 1) {
		from, to := pair(n, users)
		if from == to {
			t.Fatalf("message %d goes from %d to itself", n, from)
		}
		sent[from]++
		got[to]++
		pairs[[2]int{from, to}] = true
	}
	for user := range users {
		if sent[user] != users-1 || got[user] != users-1 {
			t.Errorf("user %d sends %d and gets %d, want %d of each", user, sent[user], got[user], users-1)
		}
	}
	if len(pairs) != users*(users-1) {
		t.Errorf("%d different pairs, want %d", len(pairs), users*(users-1))
	}
}

func TestTrafficTakesLatencyFromTheDueTime(t *testing.T) {
	t.Parallel()
	loop, err := load.New(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	traffic := newTraffic(loop, make([]*load.Conn, 3), 0, 1000, 10*time.Millisecond, 10*time.Millisecond)
	if traffic.total != 20 {
		t.Fatalf("%d messages, want 20", traffic.total)
	}
	traffic.sent = traffic.total
	for n, readAt := range map[int]time.Duration{5: 30 * time.Millisecond, 12: 15 * time.Millisecond} {
		loop.ReadAt = readAt
		traffic.Message(nil, traffic.to[0].with(n))
		traffic.Message(nil, traffic.to[0].with(n))
	}
	if got := traffic.latencies.At(1); traffic.latencies.Len() != 1 || got != 3000 {
		t.Errorf("%d latencies, the highest %d µs; want one of 3000, for warming up does not count", traffic.latencies.Len(), got)
	}
	if traffic.unique != 2 || traffic.repeated != 2 {
		t.Errorf("%d arrived, %d repeated; want 2 of each", traffic.unique, traffic.repeated)
	}
}
