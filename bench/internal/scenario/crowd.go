package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/proc"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// crowd opens more connections than one process may have, with several server processes and as many that hold their clients.
type crowd struct {
	processes   int
	connections int
	sample      int // connections that are tried at the end
	settle      time.Duration
	limit       time.Duration
}

func newCrowd(quick bool) *crowd {
	if quick {
		return &crowd{processes: 2, connections: 300, sample: 20, settle: 300 * time.Millisecond, limit: 20 * time.Second}
	}
	return &crowd{processes: 13, connections: 250_000, sample: 1000, settle: 30 * time.Second, limit: 4 * time.Minute}
}

const (
	crowdCase   = "hold"
	crowdPrefix = "/named/"

	openSeconds   = "open_s"
	kernelPerConn = "kernel_per_conn"
	checked       = "checked"
)

func (s *crowd) Name() string { return "crowd" }

func (s *crowd) Title() string { return "A crowd" }

func (s *crowd) About() string {
	return fmt.Sprintf(`%[1]s connections at once: %[2]d processes of a program that uses Parley as a library, all on the core of the servers, and %[2]d that hold the clients' ends, for no process may open more than 20,000 files here. Each connection is a user in a group with all others of its process, and has sent a message to itself and got it back when it counts as open.
Then a garbage collection is forced, and %[3]s later the memory is read. *Resident* is by how much the servers' resident memory has grown since they started, for each connection; *kernel* by how much the kernel's own (its slabs) has, for both ends of a connection. At last %[4]s connections, spread over all processes, send one more message and get it back; none has ended.`,
		report.Count(s.connections), s.processes, report.Span(s.settle), report.Count(s.sample))
}

// Runs is 1: it tells what is possible, and the memory hardly varies.
func (s *crowd) Runs(wanted int) int { return min(wanted, 1) }

func (s *crowd) Cases() []Case { return []Case{{Name: crowdCase, Only: baselineOnly, Run: s.run}} }

func (s *crowd) run(ctx context.Context, _ *system.System, env *system.Env) (Outcome, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, fmt.Errorf("not finished after %v", s.limit))
	defer cancel()
	if err := system.Library.Prepare(ctx, env); err != nil {
		return Outcome{}, err
	}
	var site site
	outcome, err := s.measure(ctx, env, &site)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if err != nil {
		cancel() // what still works at an order would end after that only
	}
	return outcome, errors.Join(err, site.end())
}

func (s *crowd) measure(ctx context.Context, env *system.Env, site *site) (Outcome, error) {
	if err := site.start(ctx, env, s.processes); err != nil {
		return Outcome{}, err
	}
	before, err := site.held()
	if err != nil {
		return Outcome{}, err
	}
	if err := site.hire(ctx, s.connections, s.limit); err != nil {
		return Outcome{}, err
	}
	opening := time.Now()
	if err := site.tell(askOpen); err != nil {
		return Outcome{}, err
	}
	opened := time.Since(opening)
	if err := site.rest(ctx, s.settle); err != nil {
		return Outcome{}, err
	}
	after, err := site.held()
	if err != nil {
		return Outcome{}, err
	}
	perHolder := (s.sample + s.processes - 1) / s.processes
	if err := site.tell(fmt.Sprintf("%s %d", askCheck, perHolder)); err != nil {
		return Outcome{}, err
	}
	each := func(before, after int64) float64 { return float64(after-before) / float64(s.connections) }
	return Outcome{Values: map[string]float64{
		connections:   float64(s.connections),
		openSeconds:   opened.Seconds(),
		rssPerConn:    each(before.servers, after.servers),
		kernelPerConn: each(before.kernel, after.kernel),
		checked:       float64(perHolder * s.processes),
	}}, nil
}

// site is the processes of a crowd.
type site struct {
	servers []*system.Instance
	holders []*holder
}

func (s *site) start(ctx context.Context, env *system.Env, n int) error {
	for range n {
		server, err := system.Library.Start(ctx, env)
		if err != nil {
			return err
		}
		s.servers = append(s.servers, server)
	}
	return nil
}

// hire starts a holder for each server and gives each its part of the connections.
func (s *site) hire(ctx context.Context, connections int, limit time.Duration) error {
	first := 0
	for i, server := range s.servers {
		end := connections * (i + 1) / len(s.servers)
		h, err := startHolder(ctx, task{addr: server.Addr, prefix: crowdPrefix, first: first, count: end - first, limit: limit})
		if err != nil {
			return err
		}
		s.holders = append(s.holders, h)
		first = end
	}
	return nil
}

// tell asks all holders for the same and waits until all have done it.
func (s *site) tell(order string) error {
	for _, h := range s.holders {
		if err := h.ask(order); err != nil {
			return err
		}
	}
	for _, h := range s.holders {
		if err := h.await(); err != nil {
			return err
		}
	}
	return nil
}

// rest has the servers collect their garbage and lets them come to rest.
func (s *site) rest(ctx context.Context, d time.Duration) error {
	for _, server := range s.servers {
		if err := server.Collect(); err != nil {
			return err
		}
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// holdings is memory in bytes.
type holdings struct{ servers, kernel int64 }

// held reads the memory.
func (s *site) held() (holdings, error) {
	var h holdings
	for _, server := range s.servers {
		rss, err := proc.RSS(server.PID)
		if err != nil {
			return h, err
		}
		h.servers += rss
	}
	var err error
	h.kernel, err = proc.Slab()
	return h, err
}

// end ends all processes.
func (s *site) end() error {
	var errs []error
	for _, h := range s.holders {
		h.end()
	}
	for _, server := range s.servers {
		errs = append(errs, server.Stop())
	}
	return errors.Join(errs...)
}

func (s *crowd) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "System", "Connections", "Processes", "Seconds to open", "Resident", "Kernel", "Checked")
	t.Title = s.Title()
	for _, sys := range f.Measured() {
		cell := t.cell(crowdCase, sys)
		count, ok := cell.Median(connections)
		if !ok {
			continue
		}
		seconds, _ := cell.Median(openSeconds)
		tried, _ := cell.Median(checked)
		sys.Title += " as a library"
		t.row(sys, report.Count(int(count)), report.Count(s.processes), report.Figure(seconds), size(cell, rssPerConn),
			size(cell, kernelPerConn), report.Count(int(tried)))
	}
	return []report.Table{t.Table}
}
