package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// fanout measures what it costs to bring one sender's messages to many receivers.
type fanout struct {
	sizes    []int
	windows  []int
	slowSize int // the most receivers for a slow system where several messages are in flight
	warm     time.Duration
	measure  time.Duration
	messages int // at least so many, however long it takes
	longest  time.Duration
}

func newFanout(quick bool) *fanout {
	if quick {
		return &fanout{
			sizes: []int{20, 100}, windows: []int{1, 64}, slowSize: 20,
			warm: 100 * time.Millisecond, measure: 300 * time.Millisecond, messages: 2, longest: 5 * time.Second,
		}
	}
	return &fanout{
		sizes: []int{100, 1000, 5000}, windows: []int{1, 64}, slowSize: 1000,
		warm: time.Second, measure: 3 * time.Second, messages: 3, longest: 30 * time.Second,
	}
}

const fanoutBytes = 128

const (
	cpuPerDelivery = "cpu_us_per_delivery"
	deliveryRate   = "deliveries_per_s"
	lostCount      = "lost"
	repeatedCount  = "repeated"
)

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
		return s.send(b, newBroadcast(b.loop, receivers, textMessage(fanoutBytes), window))
	})
}

// send measures from one message's end to another's.
func (s *fanout) send(b *bench, c *broadcast) (Outcome, error) {
	if err := c.sendUntil(s.after(c, s.warm, 1)); err != nil {
		return Outcome{}, err
	}
	meter, err := startMeter(b)
	if err != nil {
		return Outcome{}, err
	}
	before := c.arrived
	if err := c.sendUntil(s.after(c, s.measure, s.messages)); err != nil {
		return Outcome{}, err
	}
	used, err := meter.read()
	if err != nil {
		return Outcome{}, err
	}
	delivered := float64(c.arrived - before)
	if err := c.drain(); err != nil {
		return Outcome{}, err
	}
	values := map[string]float64{
		cpuPerDelivery: float64(used.server.Nanoseconds()) / 1e3 / delivered,
		deliveryRate:   delivered / used.elapsed.Seconds(),
		lostCount:      float64(c.lost),
		repeatedCount:  float64(c.repeated),
	}
	used.record(values, "")
	return Outcome{Values: values}, nil
}

// after is true at the end of a message when both the time has passed and so many messages are done, or when it took too long.
func (s *fanout) after(c *broadcast, least time.Duration, messages int) func() bool {
	start, first, last := c.loop.Now(), c.done, c.done
	return func() bool {
		passed := c.loop.Now() - start
		ended := c.done > last
		last = c.done
		return ended && (passed >= least && c.done-first >= messages || passed >= s.longest)
	}
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
			cells = append(cells, s.figures(t, fanoutCase(window, size), sys)...)
		}
		t.row(sys, cells...)
	}
	return t.Table
}

func (s *fanout) figures(t *comparison, name string, sys result.System) []string {
	s.remark(t, name, sys, t.cell(name, sys))
	return []string{t.figure(name, sys, cpuPerDelivery), t.figure(name, sys, deliveryRate)}
}

func (s *fanout) remark(t *comparison, name string, sys result.System, cell result.Cell) {
	if lost, _ := cell.Max(lostCount); lost > 0 {
		t.note("%s, %s: %s deliveries lost", sys.Title, name, report.Count(int(lost)))
	}
	if repeated, _ := cell.Max(repeatedCount); repeated > 0 {
		t.note("%s, %s: %s deliveries repeated", sys.Title, name, report.Count(int(repeated)))
	}
	limitedByLoad(t, sys, name, cell, "")
}
