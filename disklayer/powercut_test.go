package disklayer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// fromEnv returns a number that the environment may change.
func fromEnv(name string, number int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return number
}

// TestPowerCut cuts the power of a store in use, PARLEY_CUTS times, and opens what
// is left on its disk: what was accepted, read or delivered is there, in its
// place, and nothing that was never sent. What was written and not synced is gone,
// or some of it is. Before some of the cuts, writes and syncs fail.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	cuts, seed := fromEnv("PARLEY_CUTS", 30), fromEnv("PARLEY_SEED", 1)
	const chain = 3 // cuts of one store
	troubles, events := 0, int64(0)
	for i := range (cuts + chain - 1) / chain {
		w := newWorld()
		if failure := powerCuts(t, w, uint64(seed+i), min(chain, cuts-chain*i)); failure != "" {
			t.Fatalf("PARLEY_SEED=%d: %s", seed+i, failure)
		}
		troubles, events = troubles+w.troubles, events+w.events.Load()
	}
	t.Logf("%d cuts, %d after a disk that failed; %d messages accepted, read or delivered", cuts, troubles, events)
}

// powerCuts does cuts of one store, and returns what is wrong with what is left.
func powerCuts(t *testing.T, w *world, seed uint64, cuts int) (failure string) {
	random := rand.New(rand.NewPCG(seed, 0))
	if seed%2 == 0 {
		w.hub.keep.Messages = 100
	}
	mem := vfs.NewCrashableMem()
	for range cuts {
		var trouble trouble
		if random.IntN(3) == 0 {
			trouble.failAt(random)
		}
		run := w.start(t, mem, &trouble, random.Uint64())
		if w.failure() == "" {
			run.until(50 + random.IntN(1000))
			if random.IntN(2) == 0 {
				run.holdSyncs()
			}
		}
		if trouble.fails > 0 && trouble.left.Load() < 0 {
			w.troubles++
		}
		mem = run.cut(mem, vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 20, 70, 100}[random.IntN(4)], RNG: random})
	}
	run := w.start(t, mem, &trouble{}, 0)
	run.stop()
	return w.failure()
}

// trouble is what a disk does to a store besides losing power. It is asked before
// each change.
type trouble struct {
	left   atomic.Int64 // changes until they fail; not below 0 where they do not
	fails  int64        // so many fail
	torn   bool         // writes that fail are done by half
	sync   bool         // only syncs fail
	hold   atomic.Pointer[chan struct{}]
	held   chan struct{}
	closed atomic.Bool // held is closed
}

// failAt has some changes fail.
func (d *trouble) failAt(random *rand.Rand) {
	d.left.Store(random.Int64N(100))
	d.fails, d.torn, d.sync = 1+random.Int64N(3), random.IntN(2) == 0, random.IntN(2) == 0
}

// MaybeError is an errorfs.Injector.
func (d *trouble) MaybeError(op errorfs.Op) error {
	sync := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData
	if d.fails == 0 || !sync && (d.sync || op.Kind != errorfs.OpFileWrite) {
		return nil
	}
	if left := d.left.Add(-1); left < 0 && left >= -d.fails {
		return errorfs.ErrInjected
	}
	return nil
}

// waitForPower is called before a write-ahead log is synced.
func (d *trouble) waitForPower() {
	if gate := d.hold.Load(); gate != nil {
		if !d.closed.Swap(true) {
			close(d.held)
		}
		<-*gate
	}
}

func (d *trouble) String() string { return "trouble" }

// tornFS has files that are written by half where their disk refuses a write.
type tornFS struct {
	vfs.FS
	*trouble
}

func (f tornFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return f.wrap(name, file, err)
}

func (f tornFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldname, newname, c)
	return f.wrap(newname, file, err)
}

func (f tornFS) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return tornFile{errorfs.WrapFile(file, f.trouble), file, strings.HasSuffix(name, ".log"), f.trouble}, nil
}

type tornFile struct {
	vfs.File
	whole vfs.File
	wal   bool
	*trouble
}

func (f tornFile) Sync() error {
	if f.wal {
		f.waitForPower()
	}
	return f.File.Sync()
}

func (f tornFile) SyncData() error {
	if f.wal {
		f.waitForPower()
	}
	return f.File.SyncData()
}

func (f tornFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	if err != nil && f.torn {
		n, _ = f.whole.Write(p[:len(p)/2])
	}
	return n, err
}

// use is one run of a store that is in use.
type use struct {
	w       *world
	layer   *Layer
	trouble *trouble
	stopped chan struct{}
	passes  chan struct{} // received from for each pass of the reader
}

// start opens a store, checks it, and uses it.
func (w *world) start(t *testing.T, mem *vfs.MemFS, d *trouble, seed uint64) *use {
	d.held = make(chan struct{})
	cfg := testConfig("data")
	cfg.fs = tornFS{mem, d}
	cfg.reopen, cfg.tick, cfg.saveEvery, cfg.memTable = time.Millisecond, 20*time.Millisecond, 20*time.Millisecond, 128<<10 // all happens often
	l, err := open(cfg)
	for i := int64(0); i < d.fails && err != nil; i++ {
		l, err = open(cfg) // the changes that failed were those of opening
	}
	if err != nil {
		t.Fatal(err)
	}
	u := &use{w: w, layer: l, trouble: d, stopped: make(chan struct{}), passes: make(chan struct{})}
	w.begin(l)
	for g := range 4 {
		w.working.Go(func() { w.sender(u, g, rand.New(rand.NewPCG(seed, uint64(g)))) })
	}
	w.working.Go(func() { w.reader(u) })
	return u
}

// until waits for so many events.
func (u *use) until(events int) {
	for u.w.events.Load() < u.w.began+int64(events) {
		<-u.passes
	}
}

// holdSyncs has something be written that is not synced, and read, if it can be.
func (u *use) holdSyncs() {
	gate := make(chan struct{})
	u.trouble.hold.Store(&gate)
	<-u.trouble.held
	for range 5 {
		<-u.passes
	}
}

// cut cuts the power, and returns what is on the disk.
func (u *use) cut(mem *vfs.MemFS, c vfs.CrashCloneCfg) *vfs.MemFS {
	u.w.mu.Lock()
	left := mem.CrashClone(c)
	u.w.frozen = true
	u.w.mu.Unlock()
	u.stop()
	return left
}

func (u *use) stop() {
	close(u.stopped)
	if gate := u.trouble.hold.Load(); gate != nil {
		close(*gate)
	}
	if s, err := u.layer.use(); err == nil {
		s.fs.fail(fmt.Errorf("no power"))
	}
	_ = u.layer.Close() // it failed
	u.w.working.Wait()
}
