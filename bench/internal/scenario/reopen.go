package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/proc"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// reopen measures how long a server takes to serve again after it was killed, by how much it has stored.
type reopen struct {
	users  []int
	each   int // messages of each user
	sample int // users who read all theirs in the end
	kills  int
}

func newReopen(quick bool) *reopen {
	if quick {
		return &reopen{users: []int{100, 1000}, each: 10, sample: 20, kills: 1}
	}
	return &reopen{users: []int{50_000, 500_000}, each: 10, sample: 2000, kills: 3}
}

const (
	readySeconds = "ready_s"
	firstSeconds = "first_s"
	rssFirst     = "rss_first"
	rssRead      = "rss_read"
)

func (s *reopen) Name() string { return "reopen" }

func (s *reopen) Title() string { return "Serving again after a kill" }

func (s *reopen) About() string {
	return fmt.Sprintf(`A program stores %d messages of %d bytes for each of many users and is killed while it stores more. Then a server is started on that data, and killed while it keeps messages, %d times.
*Ready* is from the start of the process until its /readyz says so, *first inbox* until a user who connected then has all of theirs; the longest of all starts. *Memory* is the server's resident memory then, and after %s more users, spread over all, have connected and have theirs.`,
		s.each, peersBytes, s.kills, report.Count(s.sample))
}

// Runs is 1: each run has several starts.
func (s *reopen) Runs(wanted int) int { return min(wanted, 1) }

func reopenCase(users int) string { return fmt.Sprintf("%d users", users) }

func (s *reopen) Cases() []Case {
	var cases []Case
	for _, users := range s.users {
		stock := system.Stock{Users: users, Each: s.each, Size: peersBytes}
		cases = append(cases, Case{Name: reopenCase(users), Only: baselineOnly, Run: func(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
			return onStock(ctx, env, stock, func(args []string) (Outcome, error) { return s.run(ctx, sys, env, stock, args) })
		}})
	}
	return cases
}

// run starts servers one after the other on the same data, and takes the worst of each figure.
func (s *reopen) run(ctx context.Context, sys *system.System, env *system.Env, stock system.Stock, args []string) (Outcome, error) {
	worst := make(map[string]float64)
	for n := range s.kills {
		outcome, err := onKept(ctx, sys, env, args, func(b *bench) (Outcome, error) { return s.measure(b, stock, n) })
		if err != nil {
			return Outcome{}, err
		}
		for metric, v := range outcome.Values {
			worst[metric] = max(worst[metric], v)
		}
	}
	return Outcome{Values: worst}, nil
}

// measure is for start n, whose users are others than those of the starts before. It ends with the server's kill.
func (s *reopen) measure(b *bench, stock system.Stock, n int) (Outcome, error) {
	if err := b.AwaitReady(); err != nil {
		return Outcome{}, err
	}
	ready := time.Since(b.Started)
	if err := newCatchUp(b.loop, stock, stock.Users-1-n).run(b.to); err != nil {
		return Outcome{}, err
	}
	first := time.Since(b.Started)
	atFirst, err := proc.RSS(b.PID)
	if err != nil {
		return Outcome{}, err
	}
	if err := newCatchUp(b.loop, stock, evenly(s.sample, stock.Users, n)...).run(b.to); err != nil {
		return Outcome{}, err
	}
	atLast, err := proc.RSS(b.PID)
	if err != nil {
		return Outcome{}, err
	}
	if _, err := b.dialUsers(stock.Users, s.sample); err != nil { // who send themselves a message
		return Outcome{}, err
	}
	b.Kill()
	return Outcome{Values: map[string]float64{
		readySeconds: ready.Seconds(),
		firstSeconds: first.Seconds(),
		rssFirst:     float64(atFirst),
		rssRead:      float64(atLast),
	}}, nil
}

// evenly picks n numbers below a limit, from the first on.
func evenly(n, limit, first int) []int {
	var picked []int
	for i := range n {
		picked = append(picked, first+i*limit/n)
	}
	return picked
}

func (s *reopen) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "Users", "Messages", "Ready, s", "First inbox, s", "Memory", "after reading")
	t.Title = s.Title()
	for _, sys := range f.Measured() {
		for _, users := range s.users {
			cell := t.cell(reopenCase(users), sys)
			ready, ok := cell.Median(readySeconds)
			if !ok {
				continue
			}
			first, _ := cell.Median(firstSeconds)
			t.Rows = append(t.Rows, []string{
				report.Count(users), report.Count(users * s.each), report.Figure(ready), report.Figure(first), size(cell, rssFirst), size(cell, rssRead),
			})
		}
	}
	return []report.Table{t.Table}
}
