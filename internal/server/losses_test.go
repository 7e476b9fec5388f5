package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// TestLossesAreToldOnce counts what is lost between two looks.
func TestLossesAreToldOnce(t *testing.T) {
	t.Parallel()
	var stats parley.Stats
	var out bytes.Buffer
	l := &losses{stats: func() parley.Stats { return stats }, log: slog.New(slog.NewTextHandler(&out, nil))}
	for _, step := range []struct {
		stats parley.Stats
		want  string
	}{
		{parley.Stats{Connections: 9}, ""},
		{parley.Stats{SlowDropped: 3}, "slow_dropped=3 slow_closed=0 dead_closed=0 listen_missed=0 "},
		{parley.Stats{SlowDropped: 3}, ""},
		{parley.Stats{SlowDropped: 5, SlowClosed: 1, DeadClosed: 2, ListenMissed: 4}, "slow_dropped=2 slow_closed=1 dead_closed=2 listen_missed=4 "},
		{parley.Stats{SlowDropped: 5, SlowClosed: 1, DeadClosed: 2, ListenMissed: 4, Trimmed: 7}, "listen_missed=0 trimmed=7 gaps=0 claims_ended=0 undeliverable=0 "},
		{parley.Stats{SlowDropped: 5, SlowClosed: 1, DeadClosed: 2, ListenMissed: 4, Trimmed: 7, Undeliverable: 6}, "trimmed=0 gaps=0 claims_ended=0 undeliverable=6 "},
	} {
		stats = step.stats
		out.Reset()
		l.tell()
		if got := out.String(); (step.want == "") != (got == "") || !strings.Contains(got, step.want) {
			t.Errorf("%+v: got %q, want %q", step.stats, got, step.want)
		}
	}
}

func TestLossesAreLookedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &losses{
			stats: func() parley.Stats { return parley.Stats{SlowDropped: 3} },
			log:   slog.New(slog.NewTextHandler(&out, nil)),
		}
		go l.watch(t.Context())
		time.Sleep(lossInterval)
		synctest.Wait()
		if got := out.String(); !strings.Contains(got, "slow_dropped=3 ") {
			t.Errorf("got %q", got)
		}
	})
}

func TestConnectionsLeaveFilesForOthers(t *testing.T) {
	t.Parallel()
	for files, want := range map[uint64]int{0: 0, 10: 9, 1024: 922, 1 << 20: 943719, 1 << 63: 1<<31 - 1} {
		if got := connectionsFor(files); got != want {
			t.Errorf("%d files: %d connections, want %d", files, got, want)
		}
	}
}
