package disklayer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/parley-rt/parley"
)

// TestModel does random operations on a store and holds it to a reference, with
// power cuts in the middle of operations. PARLEY_MODEL is how many seeds it tries,
// PARLEY_SEED the first one; PARLEY_VERBOSE has it print what it does. What goes on in
// the background is not the seed's, so that a failure may take some tries to come again.
func TestModel(t *testing.T) {
	t.Parallel()
	few := 200
	if raceEnabled {
		few = 40
	}
	seeds, first := fromEnv("PARLEY_MODEL", few), fromEnv("PARLEY_SEED", 1)
	var next, cuts atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < seeds; i = int(next.Add(1)) - 1 {
				m := newModel(uint64(first + i))
				m.run()
				cuts.Add(int64(m.cuts))
				if m.wrong != "" {
					t.Errorf("PARLEY_SEED=%d PARLEY_MODEL=1: %s", first+i, m.wrong)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d seeds, %d power cuts", seeds, cuts.Load())
}

// model is a store in use, and what is known of it. All of its operations are made on
// one goroutine, one after the other; the store's keeper is one of them.
type model struct {
	random  *rand.Rand
	clock   *testClock
	began   int64                   // the store's time then
	passed  int64                   // what truly passed since, in nanoseconds
	ahead   time.Duration           // by which the wall clock is wrong
	since   int64                   // passed when it became so
	latest  int64                   // the furthest that the store's clock ever was
	oldest  map[time.Duration]int64 // the furthest that [clock.Clock.Before] ever was
	written int64                   // when cursors were written
	cfg     config
	hub     *hub
	mem     *vfs.MemFS
	moment  *moment

	layer *Layer
	store *store
	link  parley.Link

	logs    map[parley.Address]*modelLog
	users   []parley.Address // those of logs, in an order
	epoch   uint64
	serial  int // of the newest message
	copies  int // directories that were written
	cuts    int
	verbose bool
	wrong   string // the first thing that is wrong
}

const modelSteps = 120

func newModel(seed uint64) *model {
	random := rand.New(rand.NewPCG(seed, 0))
	m := &model{
		random: random, clock: &testClock{}, cfg: testConfig("data"), mem: vfs.NewCrashableMem(), moment: &moment{},
		oldest: map[time.Duration]int64{}, logs: map[parley.Address]*modelLog{}, hub: &hub{keep: parley.Retention{
			Messages: []int{3, 20, 1000}[random.IntN(3)],
			Bytes:    []int64{1000, 30_000, 1 << 40}[random.IntN(3)],
			Age:      time.Hour,
		}},
	}
	m.verbose = os.Getenv("PARLEY_VERBOSE") != ""
	m.began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	m.clock.wall, m.latest = m.began, m.began
	m.cfg.read, m.cfg.memTable, m.cfg.CacheBytes = m.clock.read, 64<<10, 1<<20
	if random.IntN(2) == 0 {
		m.cfg.TailBytes = 1 // logs are forgotten at once
	}
	for i := range 4 {
		m.users = append(m.users, parley.User(fmt.Sprint(i)), parley.Group(fmt.Sprint(i)))
	}
	for _, a := range m.users {
		m.logs[a] = newModelLog()
	}
	return m
}

func (m *model) run() {
	if m.do(m.open) {
		m.reopened(false)
	}
	for range modelSteps {
		if m.wrong != "" {
			break
		}
		m.step()
		m.checkClock()
	}
	m.disarm()
	if m.wrong == "" {
		m.expireAll()
	}
	if m.layer != nil {
		_ = m.layer.Close() // what is wrong then was noted before
	}
}

// isWrong notes what is wrong.
func (m *model) isWrong(format string, args ...any) {
	m.say("WRONG: "+format, args...)
	if m.wrong == "" {
		m.wrong = fmt.Sprintf(format, args...)
	}
}

func (m *model) say(format string, args ...any) {
	if m.verbose {
		fmt.Printf(format+"\n", args...)
	}
}

// open opens the store, whose housekeeping the model does.
func (m *model) open() {
	m.cfg.fs = errorfs.Wrap(m.mem, m.moment)
	var err error
	if m.layer, err = open(m.cfg); err != nil {
		m.isWrong("opening: %v", err)
		return
	}
	m.store = m.layer.store
	m.store.keeper.stop()
	m.store.keeping.Wait()
	m.link = m.layer.Attach(m.hub)
}

// moment is when the power is cut: before a change of a file. It is an
// errorfs.Injector.
type moment struct {
	left    atomic.Int64 // changes until then; none is left where it is not above 0
	syncs   bool         // only syncs of write-ahead logs count
	reached chan struct{}
	gate    chan struct{}
}

func (d *moment) String() string { return "moment" }

func (d *moment) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || d.left.Load() <= 0 {
		return nil
	}
	if d.syncs && op.Kind != errorfs.OpFileSync && op.Kind != errorfs.OpFileSyncData {
		return nil
	}
	if d.left.Add(-1) == 0 {
		reached, gate := d.reached, d.gate
		close(reached)
		<-gate
	}
	return nil
}

// arm has the power be cut soon.
func (m *model) arm() {
	if m.moment.left.Load() > 0 || m.isReached() {
		return
	}
	m.moment.reached, m.moment.gate = make(chan struct{}), make(chan struct{})
	m.moment.syncs = m.random.IntN(2) == 0
	left := int64(1 + m.random.IntN(30))
	if m.moment.syncs {
		left = int64(1 + m.random.IntN(4))
	}
	m.moment.left.Store(left)
}

// disarm has the power not be cut.
func (m *model) disarm() {
	m.moment.left.Store(0)
	if m.isReached() {
		close(m.moment.gate)
	}
	m.moment.reached = nil
}

func (m *model) isReached() bool {
	select {
	case <-m.moment.reached:
		return true
	default:
		return false
	}
}

// do does an operation, and reports whether it was done. Else the power was cut
// meanwhile, and the store is another one by now; what is noted when it is cut, is
// noted by the functions that are given.
func (m *model) do(op func(), cut ...func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		op()
	}()
	select {
	case <-m.moment.reached: // never, where it is nil
	case <-done:
		if !m.isReached() {
			return true
		}
	}
	m.say("cut")
	for _, f := range cut {
		f()
	}
	left := m.clone()
	close(m.moment.gate)
	<-done
	m.moment.reached = nil
	m.restart(left)
	return false
}

// clone returns what is on the disk: what was synced, or all that was written, as after
// kill -9. [TestPowerCut] has a part of it.
func (m *model) clone() *vfs.MemFS {
	m.cuts++
	return m.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100 * m.random.IntN(2), RNG: m.random})
}

// cut cuts the power between two operations.
func (m *model) cut() {
	m.disarm()
	m.say("cut between")
	m.restart(m.clone())
}

// restart opens what a power cut left.
func (m *model) restart(left *vfs.MemFS) {
	if m.layer != nil {
		kill(m.layer)
	}
	m.mem = left
	if m.open(); m.wrong == "" {
		m.reopened(true)
	}
}

// reopened checks a store that was just opened. cut says that its last life ended
// with a power cut.
func (m *model) reopened(cut bool) {
	for _, a := range m.users {
		log := m.logs[a]
		page := m.checkLog(m.link, a)
		if page.Cursor.Epoch != m.epoch && m.epoch != 0 {
			m.isWrong("the epoch was %d, and is %d", m.epoch, page.Cursor.Epoch)
		}
		m.epoch = page.Cursor.Epoch
		m.tell(a, page.Cursor, "read")
		clear(log.maybe)
		m.checkDevices(a, cut)
	}
}

// step does one random operation.
func (m *model) step() {
	a := m.users[m.random.IntN(len(m.users))]
	log := m.logs[a]
	switch n := m.random.IntN(100); {
	case n < 30:
		m.appends(a, log)
	case n < 45:
		m.read(a, log)
	case n < 55:
		head, err := m.link.Head(context.Background(), a)
		m.say("head of %v: %v", a, head.Seq)
		if err != nil {
			m.isWrong("the head of %v: %v", a, err)
		}
		m.tell(a, head, "Head")
	case n < 63:
		m.advance(a, log)
	case n < 71:
		m.introduce(a, log)
	case n < 74:
		m.flush()
	case n < 80:
		m.keepUp()
	case n < 86:
		m.sweep()
	case n < 91:
		m.pass(m.passing())
	case n < 93:
		m.jump()
	case n < 95:
		m.reopen()
	case n < 96:
		m.backup()
	case n < 99:
		m.say("arm")
		m.arm()
	default:
		m.cut()
	}
}

// now returns the store's time, as its keeper asks for it each second.
func (m *model) now() int64 {
	now := m.layer.cfg.clock.Now()
	m.before(m.hub.keep.Age)
	m.before(m.hub.keep.CursorAge())
	m.latest = max(m.latest, now)
	return now
}

// flush writes cursors, as the store does some time after they were moved.
func (m *model) flush() {
	m.say("flush")
	var err error
	if !m.do(func() { err = m.store.flushCursors() }, m.peek) {
		return
	}
	if err != nil {
		m.isWrong("writing cursors: %v", err)
	}
	m.written = m.now()
	m.flushed()
}

// keepUp trims what is due.
func (m *model) keepUp() {
	due, _ := m.store.keeper.take()
	m.say("trim %v", due)
	var err error
	if m.do(func() { err = m.store.trim(due) }, m.peek) && err != nil {
		m.isWrong("trimming: %v", err)
	}
}

// sweep does a whole sweep: what was too old as it began is gone.
func (m *model) sweep() {
	m.say("sweep")
	var err error
	done := m.do(func() {
		w := &sweep{s: m.store}
		for over := false; !over && err == nil; {
			over, err = w.step()
		}
	}, m.peek)
	if !done {
		return
	}
	if err != nil {
		m.isWrong("sweeping: %v", err)
	}
	m.checkSwept()
}

func (m *model) reopen() {
	m.say("reopen")
	var err error
	done := m.do(func() {
		err = m.layer.Close()
		m.open()
	})
	if !done || m.wrong != "" {
		return
	}
	if err != nil {
		m.isWrong("closing: %v", err)
	}
	m.flushed()
	m.reopened(false)
}

// backup copies the store, and uses the copy from then on, now and then. It has all
// that was kept, in another epoch.
func (m *model) backup() {
	m.copies++
	dir := fmt.Sprint("copy", m.copies)
	m.say("backup %s", dir)
	var err error
	done := m.do(func() { err = m.layer.Backup(context.Background(), dir, nil) })
	if !done {
		return
	}
	if err != nil {
		m.isWrong("copying: %v", err)
		return
	}
	m.flushed()
	if m.random.IntN(2) == 0 {
		return
	}
	m.say("restore")
	m.disarm()
	cfg := m.cfg
	cfg.dir, cfg.fs = dir, m.mem
	if l, err := open(cfg); err != nil {
		m.isWrong("opening the copy: %v", err)
	} else if err = errors.Join(l.Close(), m.layer.Close()); err != nil {
		m.isWrong("closing: %v", err)
	}
	m.cfg.dir = dir
	before := m.epoch
	m.epoch = 0
	if m.open(); m.wrong != "" {
		return
	}
	m.reopened(false)
	if m.epoch == before {
		m.isWrong("a copy has the epoch of what it is a copy of")
	}
}
