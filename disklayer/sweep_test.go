package disklayer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

// testClock is a machine's clocks, which only a test moves. The zero value shows the time
// of its first use.
type testClock struct {
	mu        sync.Mutex // guards what follows
	wall, ran int64
}

func (c *testClock) read() (wall, ran int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wall == 0 {
		c.wall = time.Now().UnixNano()
	}
	return c.wall, c.ran
}

// pass has time pass.
func (c *testClock) pass(d time.Duration) {
	c.jump(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ran += int64(d)
}

// jump moves the wall clock alone: it is changed, or the machine stood still.
func (c *testClock) jump(d time.Duration) {
	c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall += int64(d)
}

// clockedLayer returns a layer with a clock, whose sweeps the test does.
func clockedLayer(t *testing.T, keep parley.Retention) (*testClock, *store, parley.Link) {
	c := &testClock{}
	cfg := testConfig("data")
	cfg.fs, cfg.read, cfg.sweepEvery = vfs.NewMem(), c.read, time.Hour
	l := mustOpen(t, cfg)
	s, err := l.use()
	if err != nil {
		t.Fatal(err)
	}
	return c, s, l.Attach(&hub{keep: keep})
}

// sweepAll does a whole sweep.
func sweepAll(t *testing.T, s *store) {
	t.Helper()
	w := &sweep{s: s}
	for {
		over, err := w.step()
		if err != nil {
			t.Fatal(err)
		}
		if over {
			return
		}
	}
}

// stored counts the keys of a kind.
func stored(t *testing.T, s *store, kind byte) int {
	t.Helper()
	keys, _, err := s.keys([]byte{kind}, []byte{kind + 1}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

var anHour = parley.Retention{Messages: 1000, Bytes: 1 << 30, Age: time.Hour}

// TestSweep has logs grow old: their messages go, then their bookkeeping, and
// their places do not come back.
func TestSweep(t *testing.T) {
	t.Parallel()
	c, s, link := clockedLayer(t, anHour)
	const logs = 2 * sweepChunk // more than a chunk
	for i := range logs {
		for range 3 {
			mustSend(t, link, parley.User(fmt.Sprint(i)), "old")
		}
	}
	c.pass(30 * time.Minute)
	mustSend(t, link, parley.User("1"), "newer")
	sweepAll(t, s)
	if n := stored(t, s, keyMessage); n != 3*logs+1 {
		t.Errorf("before anything is old there are %d messages", n)
	}
	c.pass(31 * time.Minute)
	sweepAll(t, s)
	if n := stored(t, s, keyMessage); n != 1 {
		t.Errorf("%d messages are left", n)
	}
	if n := stored(t, s, keyLog); n != logs {
		t.Errorf("%d logs are left", n)
	}
	if got, _ := texts(t, link, parley.User("1"), parley.Cursor{}); len(got) != 1 || got[0] != "newer" {
		t.Errorf("kept %q", got)
	}
	before, _ := link.Head(t.Context(), parley.User("1"))
	c.pass(24 * time.Hour)
	sweepAll(t, s)
	if m, n := stored(t, s, keyMessage), stored(t, s, keyLog); m+n > 0 {
		t.Errorf("after a day %d messages and %d logs are left", m, n)
	}
	if n := stored(t, s, keyMeta); n != 4 {
		t.Errorf("the store has %d values", n)
	}
	for _, name := range []string{"1", "2", "new"} {
		if sent := mustSend(t, link, parley.User(name), "again"); sent.Cursor.Seq != before.Seq+1 && name == "1" || sent.Cursor.Seq <= 3 {
			t.Errorf("the places of %s go on with %v", name, sent.Cursor)
		}
	}
	if n := stored(t, s, keyLog); n != 3 {
		t.Errorf("%d logs are back", n)
	}
	if _, missed := texts(t, link, parley.User("1"), parley.Cursor{Epoch: before.Epoch, Seq: 2}); !missed {
		t.Error("what was swept is not missed")
	}
}

// TestDropIsSafe drops logs and has the process be killed, or the power be cut: a place
// that Head told is given to no message.
func TestDropIsSafe(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{0, 100} {
		c := &testClock{}
		mem := vfs.NewCrashableMem()
		cfg := testConfig("data")
		cfg.fs, cfg.read, cfg.sweepEvery, cfg.TailBytes = mem, c.read, time.Hour, 1
		l := mustOpen(t, cfg)
		link, s := l.Attach(&hub{keep: anHour}), l.store
		long, short, never := parley.Group("long"), parley.Group("short"), parley.Group("never")
		for i := range 6 {
			if mustSend(t, link, long, "old"); i < 5 {
				mustSend(t, link, short, "old")
			}
		}
		c.pass(3 * time.Hour)
		w := &sweep{s: s}
		for _, of := range []parley.Address{long, short} {
			if err := errors.Join(s.trim([]parley.Address{of}), w.drop([]parley.Address{of})); err != nil {
				t.Fatal(err)
			}
		}
		told := map[parley.Address]parley.Cursor{}
		for _, of := range []parley.Address{long, never, short} {
			told[of], _ = link.Head(t.Context(), of)
		}
		cfg.fs = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(1, 1))})
		kill(l)
		link = mustOpen(t, cfg).Attach(&hub{keep: anHour})
		for of, at := range told {
			if sent := mustSend(t, link, of, "new"); sent.Cursor.Seq <= at.Seq || at.Seq != 6 {
				t.Errorf("the head of %v was told as %d, and then %d is given", of, at.Seq, sent.Cursor.Seq)
			}
		}
	}
}

// TestFloorIsSafe looks at the head of an unused log while the floor is being synced:
// it is the old one.
func TestFloorIsSafe(t *testing.T) {
	t.Parallel()
	c := &testClock{}
	disk := &trouble{held: make(chan struct{})}
	cfg := testConfig("data")
	cfg.fs, cfg.read, cfg.sweepEvery, cfg.TailBytes = tornFS{vfs.NewMem(), disk}, c.read, time.Hour, 1
	l := mustOpen(t, cfg)
	link, bob := l.Attach(&hub{keep: anHour}), parley.User("bob")
	for range 5 {
		mustSend(t, link, bob, "old")
	}
	c.pass(3 * time.Hour)
	if err := l.store.trim([]parley.Address{bob}); err != nil {
		t.Fatal(err)
	}
	mustSend(t, link, parley.User("another"), "syncs the trim")
	gate, dropped := make(chan struct{}), make(chan error, 1)
	disk.hold.Store(&gate)
	go func() { dropped <- (&sweep{s: l.store}).drop([]parley.Address{bob}) }()
	<-disk.held
	for name, want := range map[string]uint64{"new": 0, "bob": 5} {
		if head, err := link.Head(t.Context(), parley.User(name)); err != nil || head.Seq != want {
			t.Errorf("before the floor is safe the head of %s is %d, %v; want %d", name, head.Seq, err, want)
		}
	}
	close(gate)
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	if head, err := link.Head(t.Context(), parley.User("newer")); err != nil || head.Seq != 5 {
		t.Errorf("once the floor is safe the head of an unused log is %d, %v", head.Seq, err)
	}
}

// TestReadThenAppended reads a log whose messages are too old, then changes what is
// stored of it, and opens it again: the old messages go.
func TestReadThenAppended(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, s *store, link parley.Link, at parley.Cursor){
		"append": func(t *testing.T, _ *store, link parley.Link, at parley.Cursor) {
			mustSend(t, link, parley.User("bob"), "new")
		},
		"forgotten cursor": func(t *testing.T, s *store, link parley.Link, at parley.Cursor) {
			if err := link.Introduce(t.Context(), parley.User("bob"), "new", at); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &testClock{}
			cfg := testConfig("data")
			cfg.fs, cfg.read, cfg.sweepEvery = vfs.NewMem(), c.read, time.Hour
			l := mustOpen(t, cfg)
			link, bob := l.Attach(&hub{keep: anHour}), parley.User("bob")
			var at parley.Cursor
			for range 100 {
				at = mustSend(t, link, bob, "old").Cursor
			}
			if err := link.Introduce(t.Context(), bob, "old", at); err != nil {
				t.Fatal(err)
			}
			c.pass(3 * time.Hour)
			if got, _ := texts(t, link, bob, parley.Cursor{}); len(got) > 0 {
				t.Errorf("what is too old is read: %q", got)
			}
			change(t, l.store, link, at)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = mustOpen(t, cfg)
			l.Attach(&hub{keep: anHour})
			c.pass(10 * time.Hour)
			sweepAll(t, l.store)
			sweepAll(t, l.store)
			if m, n := stored(t, l.store, keyMessage), stored(t, l.store, keyLog); m+n > 0 {
				t.Errorf("%d messages and %d logs are on the disk for ever", m, n)
			}
		})
	}
}

// TestSweepGoesOn has records that cannot be read: the others are swept all the same.
func TestSweepGoesOn(t *testing.T) {
	t.Parallel()
	c, s, link := clockedLayer(t, anHour)
	eve, bob := parley.User("a"), parley.User("bob")
	if err := link.Introduce(t.Context(), bob, "phone", mustSend(t, link, bob, "old").Cursor); err != nil {
		t.Fatal(err)
	}
	for _, key := range [][]byte{addressKey(keyLog, eve), cursorKey(eve, "phone")} {
		if err := s.db.Set(key, []byte("damage"), pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	c.pass(10 * time.Hour)
	for range 2 {
		w, told := &sweep{s: s}, 0
		for over := false; !over; {
			var err error
			if over, err = w.step(); errors.Is(err, errRecord) {
				told++
			}
		}
		if told != 2 {
			t.Errorf("%d damaged records were told", told)
		}
	}
	if l, m, n := stored(t, s, keyLog), stored(t, s, keyMessage), stored(t, s, keyCursor); l != 1 || m != 0 || n != 1 {
		t.Errorf("%d logs, %d messages and %d cursors are left", l, m, n)
	}
}

// TestDedupWindow uses keys again within the window and after it.
func TestDedupWindow(t *testing.T) {
	t.Parallel()
	c, s, link := clockedLayer(t, keepAll)
	bob := parley.User("bob")
	first, err := send(link, bob, "hello", "key")
	if err != nil {
		t.Fatal(err)
	}
	c.pass(24*time.Hour - time.Second)
	sweepAll(t, s)
	if again, err := send(link, bob, "hello", "key"); err != nil || again != first {
		t.Errorf("within the window: %v %v, want %v", again, err, first)
	}
	c.pass(48 * time.Hour)
	sweepAll(t, s)
	if n := stored(t, s, keyDedup); n != 0 {
		t.Errorf("%d keys are left", n)
	}
	if again, err := send(link, bob, "hello", "key"); err != nil || again == first {
		t.Errorf("after the window: %v %v", again, err)
	}
}

// TestCursorsExpire has a named cursor not be moved for long.
func TestCursorsExpire(t *testing.T) {
	t.Parallel()
	c, s, link := clockedLayer(t, anHour)
	bob := parley.User("bob")
	at := mustSend(t, link, bob, "hello").Cursor
	link.Advance(bob, "phone", at)
	link.Advance(bob, "laptop", at)
	if err := s.flushCursors(); err != nil {
		t.Fatal(err)
	}
	c.pass(80 * time.Minute)
	link.Advance(bob, "phone", at)
	if err := s.flushCursors(); err != nil {
		t.Fatal(err)
	}
	c.pass(80 * time.Minute)
	named, err := link.Cursors(t.Context(), bob)
	if _, ok := named["phone"]; len(named) != 1 || !ok || err != nil {
		t.Errorf("the cursors are %v, %v", named, err)
	}
	sweepAll(t, s)
	if n := stored(t, s, keyCursor); n != 1 {
		t.Errorf("%d cursors are stored", n)
	}
	c.pass(24 * time.Hour)
	sweepAll(t, s)
	sweepAll(t, s) // the log goes once no cursor is left
	if n, m := stored(t, s, keyCursor), stored(t, s, keyLog); n+m != 0 {
		t.Errorf("%d cursors and %d logs are stored", n, m)
	}
}

// TestTellsWhatIsTooOld has messages be too old before anybody had them: they are counted
// for as long as a cursor is remembered, and what a cursor went past is not, before the
// sweep forgot it and after, and behind a restart.
func TestTellsWhatIsTooOld(t *testing.T) {
	t.Parallel()
	c, s, link := clockedLayer(t, anHour)
	check := func(to parley.Address, want int64) {
		t.Helper()
		page, err := link.ReadAfter(t.Context(), to, parley.Cursor{}, parley.PageLimit{Messages: 1, Bytes: 1})
		if err != nil || page.Missed || page.Lost != want || len(page.Messages) > 0 {
			t.Errorf("of %v there is %+v, %v, want %d lost", to, page, err, want)
		}
	}
	ann, bob := parley.User("ann"), parley.User("bob")
	for i := range 5 {
		mustSend(t, link, ann, "data")
		if at := mustSend(t, link, bob, "data").Cursor; i == 2 {
			link.Advance(bob, "", at)
		}
	}
	if err := s.flushCursors(); err != nil {
		t.Fatal(err)
	}
	c.pass(61 * time.Minute)
	sweepAll(t, s)
	check(ann, 5)
	if named, err := link.Cursors(t.Context(), bob); err != nil || len(named) != 1 {
		t.Errorf("the cursors of what is too old are %v, %v", named, err)
	}
	c.pass(50 * time.Minute)
	mustSend(t, link, bob, "data")
	c.pass(61 * time.Minute)
	if named, err := link.Cursors(t.Context(), bob); err != nil || len(named) != 0 {
		t.Errorf("the cursors that nobody moved are %v, %v", named, err)
	}
	check(bob, 3)
	sweepAll(t, s)
	check(bob, 3)
	if k, ok, err := s.readBookkeeping(bob); err != nil || !ok || k.base != 3 {
		t.Errorf("the bookkeeping is %+v, %v, %v", k, ok, err)
	}
	sweepAll(t, s)
	check(ann, 0)
}

// TestBookkeepingWithoutBase reads what an earlier version wrote: it knows of no loss.
func TestBookkeepingWithoutBase(t *testing.T) {
	t.Parallel()
	k := bookkeeping{mark{9, 8, 7}, mark{6, 5, 4}, 3}
	b := k.append(nil)
	if got, err := parseBookkeeping(b); err != nil || got != k {
		t.Errorf("got %+v, %v, want %+v", got, err, k)
	}
	k.base = 5
	if got, err := parseBookkeeping(b[:withoutBase]); err != nil || got != k {
		t.Errorf("got %+v, %v, want %+v", got, err, k)
	}
}

// TestTrimmed has messages beyond the retention be deleted, not only hidden.
func TestTrimmed(t *testing.T) {
	t.Parallel()
	keep := anHour
	keep.Messages = 100
	_, s, link := clockedLayer(t, keep)
	bob := parley.User("bob")
	for i := range 1000 {
		mustSend(t, link, bob, fmt.Sprint(i))
		if i%100 == 0 {
			if got, _ := texts(t, link, bob, parley.Cursor{}); len(got) != min(i+1, keep.Messages) {
				t.Errorf("%d messages of %d are kept", len(got), i+1)
			}
		}
	}
	for tick := time.Tick(time.Millisecond); stored(t, s, keyMessage) > keep.Messages+trimMessages; <-tick {
	}
}
