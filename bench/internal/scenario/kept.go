package scenario

import (
	"context"
	"fmt"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// kept measures how fast messages are accepted that are kept for their users.
type kept struct {
	here, away int // users that are connected, and others: enough that none gets more than is kept
	few        int // users, all connected, each of whom gets more than is kept
	many       int // senders
	deep       int // how many messages each of many keeps in flight
	pace
}

func newKept(quick bool) *kept {
	if quick {
		return &kept{here: 10, away: 10, few: 2, many: 8, deep: 4, pace: quickPace}
	}
	return &kept{here: 1000, away: 1000, few: 20, many: 64, deep: 16, pace: usualPace}
}

// usersPrefix is of the paths at which users of parley serve connect.
const usersPrefix = "/ws/"

const (
	acceptedP50 = "p50"
	acceptedP99 = "p99"
)

func (s *kept) Name() string { return "kept" }

func (s *kept) Title() string { return "Accepting messages that are kept" }

func (s *kept) About() string {
	return fmt.Sprintf(`Senders on connections of their own send JSON messages of %d bytes to %d users, each to all of them in turn; %d of the users are connected and get theirs meanwhile. A message is *accepted* when its sender is told so: then it is safe. Each sender has a fixed number of messages in flight.
*On disk* is parley serve with a directory for its data, which syncs a message to the machine's disk before it is accepted; *process* does not wait for the disk; *memory* stores nothing. Where it is *trimmed*, the users are %d, all connected, and each gets more than the 1,000 messages that are kept.
It is measured as the fan-out is. The wait is from the sending of a message until it is accepted. What every connected user gets is checked to be each sender's messages in order, once; and in the end the others connect, and must get theirs.`,
		peersBytes, s.here+s.away, s.here, s.few)
}

func (s *kept) Runs(wanted int) int { return wanted }

// keptCase is how messages are kept and who sends.
type keptCase struct {
	where           string
	args            []string
	senders, window int
	here, away      int
}

func (c *keptCase) name() string { return fmt.Sprintf("%s, %d × %d", c.where, c.senders, c.window) }

func (s *kept) cases() []keptCase {
	process, memory := []string{"--durability", "process"}, []string{"--data", system.InMemory}
	return []keptCase{
		{"on disk", nil, s.many, s.deep, s.here, s.away},
		{"on disk", nil, s.many, 1, s.here, s.away},
		{"on disk", nil, 1, s.many, s.here, s.away},
		{"on disk", nil, 1, 1, s.here, s.away},
		{"on disk, trimmed", nil, s.many, s.deep, s.few, 0},
		{"process", process, s.many, s.deep, s.here, s.away},
		{"memory", memory, s.many, s.deep, s.here, s.away},
		{"memory", memory, 1, 1, s.here, s.away},
	}
}

func (s *kept) Cases() []Case {
	var cases []Case
	for _, c := range s.cases() {
		cases = append(cases, Case{Name: c.name(), Only: parleys, Run: func(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
			return onKept(ctx, sys, env, c.args, func(b *bench) (Outcome, error) { return s.measure(b, c) })
		}})
	}
	return cases
}

func (s *kept) measure(b *bench, c keptCase) (Outcome, error) {
	if _, err := b.dialUsers(0, c.here); err != nil {
		return Outcome{}, err
	}
	senders, err := b.dialAsking(c.senders)
	if err != nil {
		return Outcome{}, err
	}
	a := newAcceptance(b.loop, senders, c.window, c.here+c.away, c.here)
	outcome, err := s.take(b, a)
	if err != nil {
		return Outcome{}, err
	}
	outcome.Values[acceptedP50], outcome.Values[acceptedP99] = milliseconds(a.waits, 0.5), milliseconds(a.waits, 0.99)
	if err := a.connectOthers(b); err != nil {
		return Outcome{}, err
	}
	outcome.Values[lostCount], outcome.Values[repeatedCount] = float64(a.lost), float64(a.repeated)
	return outcome, nil
}

// dialAsking opens connections that are told of each message that was accepted.
func (b *bench) dialAsking(n int) ([]*load.Conn, error) {
	to := load.Target{Addr: b.to.Addr, Dialect: dialect.Mounted{Prefix: usersPrefix}}
	return b.loop.Dial(to, n, func(i int) string { return fmt.Sprintf("sender%d/?ack=1", i) }, dialLimit)
}

func (s *kept) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "", "Senders", "In flight each", "CPU µs per message", "Accepted/s", "p50 ms", "p99 ms")
	t.Title = s.Title()
	for _, sys := range f.Measured() {
		for _, c := range s.cases() {
			if len(t.cell(c.name(), sys)) == 0 {
				continue
			}
			where := c.where
			if sys.Name != baseline {
				where = sys.Title + ", " + where
			}
			row := []string{where, report.Count(c.senders), report.Count(c.window)}
			row = append(row, t.flowFigures(c.name(), sys)...)
			t.Rows = append(t.Rows, append(row, t.figure(c.name(), sys, acceptedP50), t.figure(c.name(), sys, acceptedP99)))
		}
	}
	return []report.Table{t.Table}
}
