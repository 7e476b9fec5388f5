package scenario

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// fanout measures what it costs to bring one sender's messages to many receivers.
type fanout struct {
	sizes    []int
	windows  []int
	slowSize int // the most receivers for a slow system where several messages are in flight
	pace
}

// newFanout measures with the given numbers of receivers, or with its own choice where there are none.
func newFanout(quick bool, sizes []int) *fanout {
	s := &fanout{sizes: []int{100, 1000, 5000}, windows: []int{1, 64}, slowSize: 1000, pace: usualPace}
	if quick {
		s.sizes, s.slowSize, s.pace = []int{20, 100}, 20, quickPace
	}
	if len(sizes) > 0 {
		s.sizes = sizes
	}
	return s
}

const fanoutBytes = 128

func (s *fanout) Name() string { return "fanout" }

func (s *fanout) Title() string { return "Fan-out" }

func (s *fanout) About() string {
	return fmt.Sprintf(`One of the receivers sends text messages of %d bytes, and every receiver, the sender too, gets each of them.
A message is done when the last receiver has it. The *window* is how many messages the sender keeps in flight: at 1 every message is alone, at more a server can put several into one write.
After %s of warming up, %s are measured. *CPU* is the server's processor time per delivery, user and system, from the process's own clock; *deliveries* are those that arrived at the receivers per second.
Messages are numbered, and each receiver's numbers are checked: what was lost or repeated is noted.`, fanoutBytes, report.Span(s.warm), report.Span(s.measure))
}

func (s *fanout) Runs(wanted int) int { return wanted }

func fanoutCase(window, size int) string { return fmt.Sprintf("window %d, %d receivers", window, size) }

func (s *fanout) Cases() []Case {
	var cases []Case
	for _, window := range s.windows {
		for _, size := range s.sizes {
			cases = append(cases, Case{
				Name: fanoutCase(window, size),
				Run: func(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
					return s.run(ctx, sys, env, window, size)
				},
			})
		}
	}
	return cases
}

func (s *fanout) run(ctx context.Context, sys *system.System, env *system.Env, window, size int) (Outcome, error) {
	tooLarge := sys.MaxReceivers > 0 && size > sys.MaxReceivers
	if tooLarge || sys.Slow && window > 1 && size > s.slowSize {
		return Outcome{}, errors.New("left out, for it would take minutes")
	}
	return on(ctx, sys, env, func(b *bench) (Outcome, error) {
		receivers, err := b.dial(size)
		if err != nil {
			return Outcome{}, err
		}
		return s.take(b, newBroadcast(b.loop, receivers, textMessage(fanoutBytes), window))
	})
}

func (s *fanout) Tables(f *result.File) []report.Table {
	var tables []report.Table
	for _, window := range s.windows {
		tables = append(tables, s.table(f, window))
	}
	return tables
}

func (s *fanout) table(f *result.File, window int) report.Table {
	t := newComparison(f, s.Name(), "System")
	t.Title = fmt.Sprintf("Fan-out, window %d", window)
	for _, size := range s.sizes {
		t.Columns = append(t.Columns, report.Count(size)+" receivers: CPU µs", "deliveries/s")
	}
	for _, sys := range f.Measured() {
		var cells []string
		for _, size := range s.sizes {
			cells = append(cells, t.flowFigures(fanoutCase(window, size), sys)...)
		}
		t.row(sys, cells...)
	}
	return t.Table
}
