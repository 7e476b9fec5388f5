package disklayer

import (
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/parley-rt/parley"
)

// TestBackup opens a copy of a store in use: it has what was kept, and another
// epoch.
func TestBackup(t *testing.T) {
	t.Parallel()
	l := mustOpen(t, testConfig(t.TempDir()))
	link := l.Attach(&hub{keep: keepAll})
	bob := parley.User("bob")
	var last parley.Sent
	for i := range 100 {
		last = mustSend(t, link, bob, fmt.Sprint(i))
	}
	link.Advance(bob, "phone", last.Cursor)
	dir := filepath.Join(t.TempDir(), "some", "copy")
	if err := l.Backup(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	mustSend(t, link, bob, "after")
	if err := l.Backup(t.Context(), dir, nil); err == nil {
		t.Error("a directory with a copy is written again")
	}
	other := mustOpen(t, testConfig(dir))
	link2 := other.Attach(&hub{keep: keepAll})
	got, missed := texts(t, link2, bob, last.Cursor)
	if len(got) != 100 || !missed {
		t.Errorf("behind a place of the first store: %d messages, missed %v", len(got), missed)
	}
	head, _ := link2.Head(t.Context(), bob)
	if head.Epoch == last.Cursor.Epoch || head.Seq != last.Cursor.Seq {
		t.Errorf("the head is %v, and was %v", head, last.Cursor)
	}
	copied := func(l *Layer, head parley.Cursor) {
		t.Helper()
		if named, err := l.Attach(&hub{keep: keepAll}).Cursors(t.Context(), bob); err != nil || named["phone"] != head {
			t.Errorf("cursors are %v, %v; want %v", named, err, head)
		}
	}
	copied(other, head)
	dir2 := filepath.Join(t.TempDir(), "copy of the copy")
	if err := other.Backup(t.Context(), dir2, nil); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	other = mustOpen(t, testConfig(dir))
	if again, _ := other.Attach(&hub{keep: keepAll}).Head(t.Context(), bob); again != head {
		t.Errorf("opened again, the copy's head is %v, and was %v", again, head)
	}
	copied(other, head)
	other = mustOpen(t, testConfig(dir2))
	head2, _ := other.Attach(&hub{keep: keepAll}).Head(t.Context(), bob)
	if head2.Epoch == head.Epoch {
		t.Error("the copy of the copy is of the same epoch")
	}
	copied(other, head2)
}

// TestBackupOfProcess opens the copy of a store in use, whose messages need not survive
// the machine, on another machine: the copy does.
func TestBackupOfProcess(t *testing.T) {
	t.Parallel()
	cfg := testConfig("data")
	cfg.fs, cfg.boot, cfg.Durability = vfs.NewMem(), "1", Process
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	bob := parley.User("bob")
	link.Advance(bob, "phone", mustSend(t, link, bob, "data").Cursor)
	if err := l.Backup(t.Context(), "copy", nil); err != nil {
		t.Fatal(err)
	}
	cfg.dir, cfg.boot = "copy", "2"
	link = mustOpen(t, cfg).Attach(&hub{keep: keepAll})
	head, _ := link.Head(t.Context(), bob)
	if named, err := link.Cursors(t.Context(), bob); err != nil || named["phone"] != head {
		t.Errorf("cursors are %v, %v; want %v", named, err, head)
	}
}

// TestOrigins bounds the epochs that a copy of a copy remembers: the last ones.
func TestOrigins(t *testing.T) {
	t.Parallel()
	cfg := testConfig("data")
	cfg.fs = vfs.NewMem()
	l := mustOpen(t, cfg)
	s, err := l.use()
	if err != nil {
		t.Fatal(err)
	}
	origins := make([]uint64, maxOrigins)
	for i := range origins {
		origins[i] = uint64(i + 1)
	}
	if err := s.run(true, func(b *pebble.Batch) { s.setNumbers(b, metaOrigins, origins...) }); err != nil {
		t.Fatal(err)
	}
	if err := l.Backup(t.Context(), "copy", nil); err != nil {
		t.Fatal(err)
	}
	cfg.dir = "copy"
	copied, err := mustOpen(t, cfg).use()
	if err != nil {
		t.Fatal(err)
	}
	if want := append(origins[1:], s.epoch); !slices.Equal(copied.origins, want) {
		t.Errorf("the origins are %v, want %v", copied.origins, want)
	}
}

// TestEpoch opens stores again in ways that may have lost messages, and in ways
// that have not.
func TestEpoch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		durability Durability
		closed     bool
		boot       string
		fresh      bool
	}{
		{"machine, killed", Machine, false, "2", false},
		{"process, killed", Process, false, "1", false},
		{"process, closed, started anew", Process, true, "2", false},
		{"process, killed, started anew", Process, false, "2", true},
		{"process, killed, who knows", Process, false, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewCrashableMem()
			cfg := testConfig("data")
			cfg.fs, cfg.boot, cfg.Durability = mem, "1", test.durability
			l := mustOpen(t, cfg)
			link := l.Attach(&hub{keep: keepAll})
			sent := mustSend(t, link, parley.User("bob"), "hello")
			link.Advance(parley.User("bob"), "phone", sent.Cursor)
			if s, err := l.use(); err != nil || s.flushCursors() != nil {
				t.Fatal("the cursor cannot be written")
			}
			if test.closed {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				kill(l)
			}
			cfg.boot = test.boot
			link = mustOpen(t, cfg).Attach(&hub{keep: keepAll})
			got, missed := texts(t, link, parley.User("bob"), sent.Cursor)
			if missed != test.fresh {
				t.Errorf("missed is %v, and %q comes", missed, got)
			}
			if got, _ := texts(t, link, parley.User("bob"), parley.Cursor{}); len(got) != 1 {
				t.Errorf("kept %q", got)
			}
			if named, err := link.Cursors(t.Context(), parley.User("bob")); err != nil || named["phone"] != sent.Cursor {
				t.Errorf("cursors are %v, %v; want %v", named, err, sent.Cursor)
			}
		})
	}
}

// TestProcessPowerCut cuts the power of a store that is not synced: it opens, with
// a part of what was accepted, and a new epoch.
func TestProcessPowerCut(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	cfg := testConfig("data")
	cfg.fs, cfg.boot, cfg.Durability = mem, "1", Process
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	bob := parley.User("bob")
	var last parley.Sent
	for i := range 600 {
		last = mustSend(t, link, bob, fmt.Sprintf("%0100000d", i)) // more than a log holds
	}
	cfg.boot, cfg.fs = "2", mem.CrashClone(vfs.CrashCloneCfg{})
	kill(l)
	link = mustOpen(t, cfg).Attach(&hub{keep: keepAll})
	got, missed := texts(t, link, bob, last.Cursor)
	if !missed || len(got) == 0 || len(got) == 600 {
		t.Errorf("%d messages are left, missed %v", len(got), missed)
	}
	for i, text := range got {
		if text != fmt.Sprintf("%0100000d", i) {
			t.Fatalf("message %d is %.20q", i, text)
		}
	}
}

// TestEpochOfOneProcess has the disk fail where nothing tells which start of the
// machine this is: as the process goes on, so does the epoch.
func TestEpochOfOneProcess(t *testing.T) {
	t.Parallel()
	disk := &badDisk{refuses: writes, err: syscall.ENOSPC}
	cfg := testConfig("data")
	cfg.fs, cfg.boot, cfg.Durability, cfg.reopen = errorfs.Wrap(vfs.NewMem(), disk), "", Process, time.Millisecond
	l := mustOpen(t, cfg)
	link, bob := l.Attach(&hub{keep: keepAll}), parley.User("bob")
	before := mustSend(t, link, bob, "before")
	disk.bad.Store(true)
	if _, err := send(link, bob, "meanwhile", ""); !isUnavailable(err) {
		t.Errorf("sending to a bad disk: %v", err)
	}
	disk.bad.Store(false)
	healthy(t, l, true)
	if after := mustSend(t, link, bob, "after"); after.Cursor.Epoch != before.Cursor.Epoch {
		t.Errorf("behind %v comes %v, of another epoch", before.Cursor, after.Cursor)
	}
}
