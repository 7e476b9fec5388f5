package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/parley-rt/parley"
)

// lossInterval is how often losses are logged, if there were any.
const lossInterval = time.Minute

// losses logs what a hub dropped and closed for slowness since it last did.
// One goroutine uses it at a time.
type losses struct {
	stats func() parley.Stats
	log   *slog.Logger
	told  parley.Stats
}

// watch logs until ctx ends.
func (l *losses) watch(ctx context.Context) {
	tick := time.NewTicker(lossInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.tell()
		case <-ctx.Done():
			return
		}
	}
}

func (l *losses) tell() {
	now, last := l.stats(), l.told
	l.told = now
	now.SlowDropped -= last.SlowDropped
	now.SlowClosed -= last.SlowClosed
	now.DeadClosed -= last.DeadClosed
	now.ListenMissed -= last.ListenMissed
	now.Trimmed -= last.Trimmed
	now.Gaps -= last.Gaps
	now.NoRoom -= last.NoRoom
	now.ClaimsEnded -= last.ClaimsEnded
	now.Undeliverable -= last.Undeliverable
	if now.SlowDropped+now.SlowClosed+now.DeadClosed+now.ListenMissed+now.Trimmed+now.Gaps+now.NoRoom+now.ClaimsEnded+now.Undeliverable == 0 {
		return
	}
	l.log.Warn("messages or connections were lost",
		"slow_dropped", now.SlowDropped, "slow_closed", now.SlowClosed,
		"dead_closed", now.DeadClosed, "listen_missed", now.ListenMissed,
		"trimmed", now.Trimmed, "gaps", now.Gaps, "claims_ended", now.ClaimsEnded, "undeliverable", now.Undeliverable, "no_room", now.NoRoom,
		"connections", now.Connections)
}
