package disklayer

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

// TestProcessPowerCutAfterClose cuts the power in the second run of a store that
// is not synced, before anything of that run is on the disk.
func TestProcessPowerCutAfterClose(t *testing.T) {
	t.Parallel()
	for _, first := range []Durability{Machine, Process} {
		t.Run(first.String(), func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewCrashableMem()
			cfg := testConfig("data")
			cfg.fs, cfg.boot, cfg.Durability = mem, "1", first
			l := mustOpen(t, cfg)
			bob := parley.User("bob")
			mustSend(t, l.Attach(&hub{keep: keepAll}), bob, "first")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			cfg.Durability = Process
			l = mustOpen(t, cfg)
			lost := mustSend(t, l.Attach(&hub{keep: keepAll}), bob, "lost")
			cfg.boot, cfg.fs = "2", mem.CrashClone(vfs.CrashCloneCfg{})
			kill(l)
			link := mustOpen(t, cfg).Attach(&hub{keep: keepAll})
			for range 2 {
				mustSend(t, link, bob, "new")
			}
			if got, missed := texts(t, link, bob, lost.Cursor); !missed {
				t.Errorf("behind a message that is gone comes %q, and nothing is missed", got)
			}
		})
	}
}

// TestProcessAfterMachine cuts the power of a store that is not synced, whose
// directory was one that is.
func TestProcessAfterMachine(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	cfg := testConfig("data")
	cfg.fs, cfg.boot = mem, "1"
	bob := parley.User("bob")
	l := mustOpen(t, cfg)
	mustSend(t, l.Attach(&hub{keep: keepAll}), bob, "first")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Durability = Process
	l = mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	for i := range 300 {
		mustSend(t, link, bob, fmt.Sprintf("%d %s", i, strings.Repeat("x", 20_000)))
	}
	cfg.boot = "2"
	for seed := range uint64(20) {
		torn := cfg
		torn.fs = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 60, RNG: rand.New(rand.NewPCG(seed, 0))})
		l, err := open(torn)
		if err != nil {
			t.Errorf("after a power cut: %v", err)
			continue
		}
		if got, _ := texts(t, l.Attach(&hub{keep: keepAll}), bob, parley.Cursor{}); len(got) == 0 {
			t.Error("nothing is left")
		}
		_ = l.Close()
	}
	kill(l)
}

// TestMachineAfterProcess opens a directory that is not synced as one that is, as
// copying it does: that does not make it one for ever.
func TestMachineAfterProcess(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	for _, d := range []Durability{Process, Machine, Process} {
		cfg.Durability = d
		l := mustOpen(t, cfg)
		mustSend(t, l.Attach(&hub{keep: keepAll}), parley.User("bob"), "hello")
		s, _ := l.use()
		if got, want := s.fs.walNoSync.Load(), d == Process; got != want {
			t.Errorf("with %s, syncs are spared: %v", d, got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKilledAtFirstStart opens a directory whose first use ended before anything
// was in it.
func TestKilledAtFirstStart(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	cfg := testConfig("data")
	cfg.fs = mem
	if err := mem.MkdirAll("data/"+dbDir, 0o700); err != nil {
		t.Fatal(err)
	}
	mustSend(t, mustOpen(t, cfg).Attach(&hub{keep: keepAll}), parley.User("bob"), "hello")
}

// TestNestedDirectory cuts the power of a store in a directory that was made with
// those above it.
func TestNestedDirectory(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	cfg := testConfig("var/lib/parley")
	cfg.fs = mem
	l := mustOpen(t, cfg)
	mustSend(t, l.Attach(&hub{keep: keepAll}), parley.User("bob"), "hello")
	cfg.fs = mem.CrashClone(vfs.CrashCloneCfg{})
	kill(l)
	if got, _ := texts(t, mustOpen(t, cfg).Attach(&hub{keep: keepAll}), parley.User("bob"), parley.Cursor{}); len(got) != 1 {
		t.Errorf("kept %q", got)
	}
}

// TestCursorsAtClose closes stores while named cursors are written.
func TestCursorsAtClose(t *testing.T) {
	t.Parallel()
	cfg := testConfig("data")
	cfg.fs, cfg.tick, cfg.saveEvery = vfs.NewMem(), 100*time.Microsecond, 100*time.Microsecond
	users := make([]parley.Address, 300)
	for i := range users {
		users[i] = parley.User(fmt.Sprint(i))
	}
	for round := range 10 {
		l := mustOpen(t, cfg)
		link := l.Attach(&hub{keep: keepAll})
		last := map[parley.Address]parley.Cursor{}
		for _, to := range users {
			last[to] = mustSend(t, link, to, "hello").Cursor
		}
		for _, of := range users {
			link.Advance(of, "phone", last[of])
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = mustOpen(t, cfg)
		link = l.Attach(&hub{keep: keepAll})
		lost := 0
		for _, of := range users {
			if named, err := link.Cursors(t.Context(), of); err != nil || named["phone"] != last[of] {
				lost++
			}
		}
		if lost > 0 {
			t.Errorf("round %d: %d cursors are not where they were", round, lost)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTrimAgain attaches a hub to a layer whose first one left before its logs were
// trimmed.
func TestTrimAgain(t *testing.T) {
	t.Parallel()
	l := mustOpen(t, testConfig(t.TempDir()))
	keep := parley.Retention{Messages: 10, Bytes: 1 << 20, Age: time.Hour}
	link := l.Attach(&hub{keep: keep})
	bob := parley.User("bob")
	mustSend(t, link, bob, "hello")
	s, _ := l.use()
	log, err := s.log(bob)
	if err != nil {
		t.Fatal(err)
	}
	defer s.logs.unpin(log)
	if err := link.Close(); err != nil {
		t.Fatal(err)
	}
	log.mu.Lock()
	log.due = true // as it is until the keeper trims
	log.mu.Unlock()
	if err := s.trim([]parley.Address{bob}); err != nil {
		t.Fatal(err)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if log.due {
		t.Error("the log is never trimmed again")
	}
}

// TestBackupTwice has two backups go to one directory: one of them succeeds, and
// is whole.
func TestBackupTwice(t *testing.T) {
	t.Parallel()
	l := mustOpen(t, testConfig(t.TempDir()))
	mustSend(t, l.Attach(&hub{keep: keepAll}), parley.User("bob"), "hello")
	for range 20 {
		dir := filepath.Join(t.TempDir(), "copy")
		results := make(chan error, 2)
		for range cap(results) {
			go func() { results <- l.Backup(t.Context(), dir, nil) }()
		}
		if a, b := <-results, <-results; (a == nil) == (b == nil) {
			t.Fatalf("the backups returned %v and %v", a, b)
		}
		other, err := open(testConfig(dir))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := texts(t, other.Attach(&hub{keep: keepAll}), parley.User("bob"), parley.Cursor{}); len(got) != 1 {
			t.Fatalf("the copy has %q", got)
		}
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
