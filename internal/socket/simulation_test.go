package socket

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSimulation has connections follow logs in as many ways as there are seeds: see
// simulation. PARLEY_SEEDS is how many there are, and PARLEY_SEED the first one.
func TestSimulation(t *testing.T) {
	t.Parallel()
	first, seeds := number(t, "PARLEY_SEED", 0), number(t, "PARLEY_SEEDS", 3000)
	for seed := first; seed < first+seeds && !t.Failed(); seed++ {
		simulate(t, seed)
	}
}

// FuzzSimulation is TestSimulation for as long as one likes.
func FuzzSimulation(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(simulate)
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	check(t, err)
	return n
}

// simulate runs a simulation, and once more to tell how it failed.
func simulate(t *testing.T, seed uint64) {
	t.Helper()
	if newSimulation(seed, nil).run() == "" {
		return
	}
	var trace []string
	failure := newSimulation(seed, &trace).run()
	t.Errorf("PARLEY_SEED=%d: %s\n%s", seed, failure, strings.Join(trace[max(0, len(trace)-300):], "\n"))
}

// simulation is a loop, all that is outside of it, and what must come of it. All is
// done by one goroutine, in an order that a seed says: what others do happens between
// the loop's rounds, and in their midst.
type simulation struct {
	r       *rand.Rand
	engine  *Engine
	loop    *Loop
	posts   []post
	logs    []*simLog
	conns   []*simConn
	actions []simAction
	weights []int // of the actions
	total   int   // of the weights
	fails   int   // every so many pages fail
	breaks  int   // every so many writes fail
	sizes   []int // of messages
	filled  int64 // bytes of the mailbox that are taken by who is about to post
	calm    bool  // there is room for all, and no log fails
	keeps   bool  // there are no messages but kept ones
	slow    int64 // connections that were closed because they are slow
	pings   int   // that a loop may have sent or answered
	inRound bool
	resting bool      // nothing new happens
	trace   *[]string // nil: none
}

// simAction is something that happens, if it can.
type simAction struct {
	do   func(s *simulation) bool
	loop bool // the loop does it: not in the midst of something else
}

func simActions() []simAction {
	return []simAction{
		{(*simulation).append, false},
		{(*simulation).publish, false},
		{(*simulation).giveUp, false},
		{(*simulation).reread, false},
		{(*simulation).trim, false},
		{(*simulation).newEpoch, false},
		{(*simulation).publishPlain, false},
		{(*simulation).writePlain, false},
		{(*simulation).fill, false},
		{(*simulation).free, false},
		{(*simulation).release, false},
		{(*simulation).open, false},
		{(*simulation).accept, false},
		{(*simulation).follow, false},
		{(*simulation).begin, false},
		{(*simulation).churn, false},
		{(*simulation).leave, false},
		{(*simulation).close, false},
		{(*simulation).readPage, false},
		{(*simulation).turn, false},
		{(*simulation).handle, false},
		{(*simulation).stepWriter, false},
		{(*simulation).post, false},
		{(*simulation).clientReads, true},
		{(*simulation).pong, true},
		{(*simulation).ping, true},
		{(*simulation).clientEnds, true},
		{(*simulation).beat, true},
		{(*simulation).flush, true},
	}
}

func newSimulation(seed uint64, trace *[]string) *simulation {
	s := &simulation{r: rand.New(rand.NewPCG(seed, 1)), trace: trace}
	cfg := testConfig()
	cfg.PingInterval, cfg.CloseTimeout, cfg.WriteTimeout = 4*time.Millisecond, time.Hour, 100*time.Hour
	cfg.MailboxBytes = []int{1, 600, 2000, 20_000, 1 << 20}[s.n(5)]
	cfg.QueueBytes = []int{1, 300, 1000, 5000, 1 << 20}[s.n(5)]
	cfg.DropWhenSlow = s.n(2) == 0
	if s.calm = s.n(6) == 0; s.calm {
		cfg.MailboxBytes, cfg.QueueBytes = 1<<20, 1<<20
	}
	s.fails = []int{3, 10, 1 << 30}[s.n(3)]
	s.breaks = []int{50, 500, 1 << 30}[s.n(3)]
	s.sizes = [][]int{{20}, {20, 150}, {20, 60, 150, 1000}}[s.n(3)]
	s.engine = &Engine{cfg: cfg}
	s.loop = newLoop(s.engine)
	s.loop.hold = time.NewTimer(time.Hour) // tells nobody: release does
	s.engine.loops = []*Loop{s.loop}
	for i := range 1 + s.n(3) {
		s.logs = append(s.logs, &simLog{id: byte(i), epoch: 1, head: uint64(s.n(2))})
	}
	s.actions = simActions()
	s.weights = make([]int, len(s.actions))
	s.keeps = s.n(6) == 0
	for i := range s.weights {
		s.weights[i] = []int{0, 1, 1, 2, 4, 8}[s.n(6)]
		s.total += s.weights[i]
	}
	s.tell("queue %d, mailbox %d, drop %v, sizes %v, %d logs", cfg.QueueBytes, cfg.MailboxBytes, cfg.DropWhenSlow, s.sizes, len(s.logs))
	return s
}

func (s *simulation) n(n int) int { return s.r.IntN(n) }

func (s *simulation) tell(format string, args ...any) {
	if s.trace != nil {
		*s.trace = append(*s.trace, fmt.Sprintf(format, args...))
	}
}

// simFailure is what a simulation that failed panics with.
type simFailure string

func (s *simulation) fail(format string, args ...any) {
	panic(simFailure(fmt.Sprintf(format, args...)))
}

// run returns how the simulation failed, if it did.
func (s *simulation) run() (failure string) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case simFailure:
			failure = string(v)
		default:
			failure = fmt.Sprintf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	s.begins()
	ends := s.n(8) == 0
	for range 30 + s.n(120) {
		switch {
		case s.n(4) == 0:
			s.round()
		case s.n(60) == 0:
			s.rest()
		default:
			s.act()
		}
		s.checkQueues()
	}
	if ends {
		s.shutdown()
		return ""
	}
	s.rest()
	if s.n(4) == 0 {
		s.busy()
	}
	s.checkAcknowledged()
	s.end()
	return ""
}

// begins opens connections that follow logs, or about to.
func (s *simulation) begins() {
	for range s.n(4) {
		if !s.open() {
			break
		}
		s.round()
		for range s.n(2 * len(s.logs)) {
			s.follow()
		}
		for range s.n(8) {
			if s.accept() || s.begin() {
				s.round()
			}
		}
	}
}

// act does one thing.
func (s *simulation) act() {
	for range 8 {
		a := s.pick()
		if !a.do(s) {
			continue
		}
		if a.loop && !s.inRound {
			s.loop.flush()
		}
		return
	}
}

func (s *simulation) pick() *simAction {
	at := s.n(s.total + 1)
	for i := range s.actions {
		if at -= s.weights[i]; at <= 0 {
			return &s.actions[i]
		}
	}
	return &s.actions[0]
}

// meanwhile has others do things while the loop is at work.
func (s *simulation) meanwhile() {
	for !s.resting && s.n(8) == 0 {
		if a := s.pick(); !a.loop {
			a.do(s)
		}
	}
}

func (s *simulation) round() {
	s.tell("round: %d posts, %d gaps", s.loop.ready, len(s.loop.gaps))
	s.inRound = true
	s.posts = s.loop.round(s.posts)
	s.inRound = false
}
