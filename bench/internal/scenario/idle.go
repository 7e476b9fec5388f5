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
}

func newIdle(quick bool) *idle {
	if quick {
		return &idle{few: 200, many: 1000, manySlow: 500, settle: 200 * time.Millisecond}
	}
	return &idle{few: 1000, many: 19000, manySlow: 3000, settle: 10 * time.Second}
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
The kernel's own memory for the sockets is not in it.
Parley is measured as a server, on the endpoint of users as the others are, also where it keeps their messages, and on that of everyone, where each connection is pinged instead and one message reaches all, and as a library: a program of two handlers on net/http, with the garbage collector set as in the server. *Bare* connections have no name and are in no group; *named* ones are users who share a group.`,
		report.Count(s.few), report.Count(s.many), report.Span(s.settle), report.Count(s.manySlow))
}

func (s *idle) Runs(wanted int) int { return min(wanted, 3) }

// The cases: the first is for every system, the others are Parley's alone.
const (
	idleUsers    = "users"
	idleKept     = "users, keeping messages"
	idleEveryone = "everyone"
	idleBare     = "bare"
	idleNamed    = "named"
)

func (s *idle) Cases() []Case {
	return []Case{
		{Name: idleUsers, Run: func(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
			many := s.many
			if sys.Slow {
				many = s.manySlow
			}
			return on(ctx, sys, env, func(b *bench) (Outcome, error) { return s.slope(b, many, b.addUsers) })
		}},
		{Name: idleKept, Only: parleys, Run: func(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
			return onKept(ctx, sys, env, nil, func(b *bench) (Outcome, error) { return s.slope(b, s.many, b.addUsers) })
		}},
		{Name: idleEveryone, Only: parleys, Run: func(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
			return on(ctx, sys, env, func(b *bench) (Outcome, error) { return s.slope(b, s.many, b.addToEveryone) })
		}},
		{Name: idleBare, Only: baselineOnly, Run: s.asLibrary("/bare/")},
		{Name: idleNamed, Only: baselineOnly, Run: s.asLibrary("/named/")},
	}
}

func (s *idle) asLibrary(prefix string) func(context.Context, *system.System, *system.Env) (Outcome, error) {
	return func(ctx context.Context, _ *system.System, env *system.Env) (Outcome, error) {
		return onLibrary(ctx, env, prefix, func(b *bench) (Outcome, error) { return s.slope(b, s.many, b.addUsers) })
	}
}

// addUsers opens connections that each get a message from themselves.
func (b *bench) addUsers(first, n int) error {
	_, err := b.dialUsers(first, n)
	return err
}

// addToEveryone opens connections that each get a pong, and of which one sends to all.
func (b *bench) addToEveryone(_, n int) error {
	conns, err := b.dial(n)
	if err != nil {
		return err
	}
	return b.ping(conns)
}

// footprint is what a server holds at one number of connections.
type footprint struct {
	rss float64
	system.Memory
}

func (s *idle) slope(b *bench, many int, add func(first, n int) error) (Outcome, error) {
	low, err := s.grow(b, 0, s.few, add)
	if err != nil {
		return Outcome{}, err
	}
	high, err := s.grow(b, s.few, many, add)
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
func (s *idle) grow(b *bench, from, to int, add func(first, n int) error) (footprint, error) {
	if err := add(from, to-from); err != nil {
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

// watch notes that a connection ended, and counts messages.
type watch struct {
	cause    error
	messages int
}

func (w *watch) Message(*load.Conn, []byte) { w.messages++ }

func (w *watch) Closed(_ *load.Conn, cause error) { w.cause = cause }

func (b *bench) footprint() (footprint, error) {
	rss, err := proc.RSS(b.PID)
	if err != nil {
		return footprint{}, err
	}
	held, err := b.Memory()
	return footprint{rss: float64(rss), Memory: held}, err
}

// idleRows are the rows of each system: what a case is called behind the system's title.
var idleRows = []struct{ name, title string }{
	{idleUsers, ""},
	{idleKept, ", keeping messages"},
	{idleEveryone, ", endpoint of everyone"},
	{idleBare, " as a library, bare"},
	{idleNamed, " as a library, named and in a group"},
}

func (s *idle) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "System", "Connections", "Resident", "Ratio", "Heap in use", "Stacks in use")
	t.Title = s.Title()
	base, _ := t.base(idleUsers).Median(rssPerConn)
	for _, sys := range f.Measured() {
		for _, kind := range idleRows {
			cell := t.cell(kind.name, sys)
			if len(cell) == 0 {
				continue
			}
			row := sys
			row.Title += kind.title
			s.row(t, row, cell, base)
		}
	}
	return []report.Table{t.Table}
}

func (s *idle) row(t *comparison, sys result.System, cell result.Cell, base float64) {
	count, ok := cell.Median(connections)
	if !ok {
		t.missing(sys)
		return
	}
	rss, _ := cell.Median(rssPerConn)
	t.row(sys, report.Count(int(count)), report.Bytes(rss), report.Ratio(rss, base), size(cell, heapPerConn), size(cell, stacksPerConn))
}

// size is a metric in bytes as text.
func size(cell result.Cell, metric string) string {
	median, ok := cell.Median(metric)
	if !ok {
		return report.None
	}
	return report.Bytes(median)
}
