package scenario

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// publishers measures a room in which many send at once.
type publishers struct {
	publishers, receivers int
	pace
}

func newPublishers(quick bool) *publishers {
	if quick {
		return &publishers{publishers: 8, receivers: 50, pace: quickPace}
	}
	return &publishers{publishers: 64, receivers: 1000, pace: usualPace}
}

const publishersCase = "at once"

func (s *publishers) Name() string { return "publishers" }

func (s *publishers) Title() string { return "Many publishers" }

func (s *publishers) About() string {
	return fmt.Sprintf(`%d of %s receivers in one room send text messages of %d bytes, all at once: each sends its next message when its own copy of the last one came back to it. Every receiver gets each of them.
It is measured as the fan-out is. Messages carry who sent them and a number, and every delivery is checked: each receiver must get each publisher's messages in order, all of them, once. What was lost, repeated or out of order is noted.`,
		s.publishers, report.Count(s.receivers), fanoutBytes)
}

func (s *publishers) Runs(wanted int) int { return wanted }

func (s *publishers) Cases() []Case { return []Case{{Name: publishersCase, Run: s.run}} }

func (s *publishers) run(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
	if sys.MaxReceivers > 0 && s.receivers >= sys.MaxReceivers {
		return Outcome{}, errors.New("left out, for it would take minutes")
	}
	return on(ctx, sys, env, func(b *bench) (Outcome, error) {
		receivers, err := b.dial(s.receivers)
		if err != nil {
			return Outcome{}, err
		}
		return s.take(b, newCrossfire(b.loop, receivers, s.publishers, fanoutBytes))
	})
}

func (s *publishers) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "System", "CPU µs per delivery", "Deliveries/s")
	t.Title = s.Title()
	for _, sys := range f.Measured() {
		t.row(sys, t.flowFigures(publishersCase, sys)...)
	}
	return []report.Table{t.Table}
}
