package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/proc"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// idle measures what a connection costs in memory while nothing is sent.
type idle struct {
	few, many, manySlow int
	settle              time.Duration
	runs                int
}

func newIdle(quick bool) *idle {
	if quick {
		return &idle{few: 200, many: 1000, manySlow: 500, settle: time.Second, runs: 1}
	}
	return &idle{few: 1000, many: 19000, manySlow: 3000, settle: 30 * time.Second, runs: 1}
}

const (
	rssPerConn    = "rss_per_conn"
	heapPerConn   = "heap_per_conn"
	stacksPerConn = "stacks_per_conn"
	connections   = "connections"
)

func (s *idle) Name() string { return "idle" }

func (s *idle) Title() string { return "Idle memory per connection" }

func (s *idle) About() string {
	return fmt.Sprintf(`A fresh server gets %[1]s connections, each as a user of its own, and each sends one message to itself and gets it back.
Then a garbage collection is forced, and %[3]s later the memory is read: resident memory from the kernel, heap and stacks in use from the runtime where it can tell.
The same is done again at %[2]s connections (%[4]s where the system is slow). The figure is the slope between the two, so that the program itself does not count.
The kernel's own memory for the sockets is not in it.`,
		report.Count(s.few), report.Count(s.many), report.Span(s.settle), report.Count(s.manySlow))
}

func (s *idle) Runs(wanted int) int { return min(wanted, s.runs) }

func (s *idle) Cases() []Case { return []Case{{Name: "slope", Run: s.run}} }

func (s *idle) run(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
	many := s.many
	if sys.Slow {
		many = s.manySlow
	}
	return on(ctx, sys, env, func(b *bench) (Outcome, error) { return s.slope(b, many) })
}

// footprint is what a server holds at one number of connections.
type footprint struct {
	rss float64
	system.Memory
}

func (s *idle) slope(b *bench, many int) (Outcome, error) {
	low, err := s.grow(b, 0, s.few)
	if err != nil {
		return Outcome{}, err
	}
	high, err := s.grow(b, s.few, many)
	if err != nil {
		return Outcome{}, err
	}
	added := float64(many - s.few)
	values := map[string]float64{
		connections: float64(many),
		rssPerConn:  (high.rss - low.rss) / added,
	}
	if high.Heap >= 0 {
		values[heapPerConn] = (high.Heap - low.Heap) / added
	}
	if high.Stacks >= 0 {
		values[stacksPerConn] = (high.Stacks - low.Stacks) / added
	}
	return Outcome{Values: values}, nil
}

// grow opens connections until there are to of them, and reads the memory after they came to rest.
func (s *idle) grow(b *bench, from, to int) (footprint, error) {
	if _, err := b.dialUsers(from, to-from); err != nil {
		return footprint{}, err
	}
	if err := b.Collect(); err != nil {
		return footprint{}, err
	}
	w := new(watch)
	b.loop.Handle(w)
	if err := b.loop.Run(s.settle); err != nil {
		return footprint{}, err
	}
	if w.cause != nil {
		return footprint{}, fmt.Errorf("the server closed an idle connection: %w", w.cause)
	}
	return b.footprint()
}

// watch notes that a connection ended.
type watch struct{ cause error }

func (w *watch) Message(*load.Conn, []byte) {}

func (w *watch) Closed(_ *load.Conn, cause error) { w.cause = cause }

func (b *bench) footprint() (footprint, error) {
	rss, err := proc.RSS(b.PID)
	if err != nil {
		return footprint{}, err
	}
	held, err := b.Memory()
	return footprint{rss: float64(rss), Memory: held}, err
}

func (s *idle) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "System", "Connections", "Resident", "Ratio", "Heap in use", "Stacks in use")
	t.Title = s.Title()
	base, _ := t.base("slope").Median(rssPerConn)
	for _, sys := range f.Measured() {
		cell := t.cell("slope", sys)
		count, ok := cell.Median(connections)
		if !ok {
			t.missing(sys)
			continue
		}
		rss, _ := cell.Median(rssPerConn)
		t.row(sys, report.Count(int(count)), report.Bytes(rss), report.Ratio(rss, base), size(cell, heapPerConn), size(cell, stacksPerConn))
	}
	return []report.Table{t.Table}
}

// size is a metric in bytes as text.
func size(cell result.Cell, metric string) string {
	median, ok := cell.Median(metric)
	if !ok {
		return report.None
	}
	return report.Bytes(median)
}
