package disklayer

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/parley-rt/parley"
)

// badDisk refuses some changes while it is bad.
type badDisk struct {
	bad     atomic.Bool
	refuses func(errorfs.OpKind) bool
	err     error
}

func (d *badDisk) MaybeError(op errorfs.Op) error {
	if d.bad.Load() && d.refuses(op.Kind) {
		return d.err
	}
	return nil
}

func (d *badDisk) String() string { return "bad disk" }

func isUnavailable(err error) bool {
	e, ok := errors.AsType[*parley.Error](err)
	return ok && e.Code == parley.Unavailable
}

func writes(k errorfs.OpKind) bool {
	return k == errorfs.OpFileWrite || k == errorfs.OpCreate || k == errorfs.OpReuseForWrite
}

func changes(k errorfs.OpKind) bool { return k.ReadOrWrite() == errorfs.OpIsWrite }

func syncs(k errorfs.OpKind) bool {
	return k == errorfs.OpFileSync || k == errorfs.OpFileSyncData || k == errorfs.OpFileSyncTo
}

// healthy waits until the layer's health is as wanted.
func healthy(t *testing.T, l *Layer, want bool) {
	t.Helper()
	for tick := time.Tick(time.Millisecond); (l.Health() == nil) != want; <-tick {
	}
}

// TestBadDisk has a disk refuse changes: what was accepted before stays, nothing
// is accepted meanwhile, and afterwards all is well again.
func TestBadDisk(t *testing.T) {
	t.Parallel()
	for name, disk := range map[string]*badDisk{
		"full":      {refuses: writes, err: syscall.ENOSPC},
		"read-only": {refuses: changes, err: syscall.EROFS},
		"sync":      {refuses: syncs, err: syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig("data")
			cfg.fs, cfg.reopen, cfg.tick, cfg.saveEvery = errorfs.Wrap(vfs.NewMem(), disk), time.Millisecond, time.Millisecond, time.Millisecond
			l := mustOpen(t, cfg)
			hub := &hub{keep: keepAll}
			link := l.Attach(hub)
			bob := parley.User("bob")
			mustSend(t, link, bob, "before")

			disk.bad.Store(true)
			for range 3 {
				if _, err := send(link, bob, "meanwhile", ""); !isUnavailable(err) {
					t.Fatalf("sending to a bad disk: %v", err)
				}
			}
			healthy(t, l, false)
			if err := l.Health(); !errors.Is(err, disk.err) {
				t.Errorf("health is %v", err)
			}

			disk.bad.Store(false)
			healthy(t, l, true)
			mustSend(t, link, bob, "after")
			got, missed := texts(t, link, bob, parley.Cursor{})
			if all := strings.Join(got, " "); missed || !strings.HasPrefix(all, "before") || !strings.HasSuffix(all, "after") {
				t.Errorf("kept %q, missed %v", all, missed)
			}
			if err := l.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
			if hub.rereads.Load() == 0 { // of what was under way when the disk failed
				t.Error("the hub was not told to read its logs again")
			}
		})
	}
}

// TestBadDiskOpen opens a directory whose disk refuses changes: a new one cannot be, and
// one with data can be read, unless it is another user's.
func TestBadDiskOpen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want string
	}{
		{syscall.EROFS, "data cannot be made: its file system is read-only"},
		{syscall.ENOSPC, "data cannot be made: its disk is full"},
		{syscall.EACCES, "data cannot be made: this user may not use it"},
	} {
		disk := &badDisk{refuses: changes, err: &fs.PathError{Op: "change", Path: "data", Err: test.err}}
		cfg := testConfig("data")
		cfg.fs = errorfs.Wrap(vfs.NewMem(), disk)
		disk.bad.Store(true)
		if _, err := open(cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("opening a new directory: %v", err)
		}
		disk.bad.Store(false)
		if err := mustOpen(t, cfg).Close(); err != nil {
			t.Error(err)
		}
		disk.bad.Store(true)
		l, err := open(cfg)
		if may := test.err != syscall.EACCES; may != (err == nil) || !may && !strings.Contains(err.Error(), "this user may not use it") {
			t.Errorf("opening one with data: %v", err)
		}
		if l != nil {
			if err := l.Health(); !errors.Is(err, test.err) {
				t.Errorf("health is %v", err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		disk.bad.Store(false)
		if err := mustOpen(t, cfg).Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFailsInBackground has the database's own writing fail while nothing is appended.
func TestFailsInBackground(t *testing.T) {
	t.Parallel()
	disk := &badDisk{refuses: writes, err: syscall.ENOSPC}
	cfg := testConfig("data")
	cfg.fs, cfg.reopen = errorfs.Wrap(vfs.NewMem(), disk), time.Millisecond
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	mustSend(t, link, parley.User("bob"), "before")
	s, _ := l.use()
	disk.bad.Store(true)
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		t.Fatal(err)
	}
	<-flushed
	healthy(t, l, false)
	disk.bad.Store(false)
	healthy(t, l, true)
	if got, _ := texts(t, link, parley.User("bob"), parley.Cursor{}); len(got) != 1 {
		t.Errorf("kept %q", got)
	}
}

// TestSpace has the disk run out of space, and the directory reach its bound.
func TestSpace(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 50 << 30, TotalBytes: 100 << 30})
	cfg := testConfig("data")
	cfg.fs, cfg.tick = mem, time.Millisecond
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	mustSend(t, link, parley.User("bob"), "before")
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 20 << 20, TotalBytes: 100 << 30})
	healthy(t, l, false)
	if _, err := send(link, parley.User("bob"), "meanwhile", ""); !isUnavailable(err) {
		t.Errorf("sending to a full disk: %v", err)
	}
	if got, _ := texts(t, link, parley.User("bob"), parley.Cursor{}); len(got) != 1 {
		t.Errorf("reading from a full disk: %q", got)
	}
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 50 << 30, TotalBytes: 100 << 30})
	healthy(t, l, true)
	mustSend(t, link, parley.User("bob"), "after")
}

// TestMaxBytes fills a store to its bound, and makes room by trimming.
func TestMaxBytes(t *testing.T) {
	t.Parallel()
	cfg := testConfig("data")
	cfg.fs, cfg.tick, cfg.MaxBytes = vfs.NewMem(), time.Millisecond, 4<<20
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	var err error
	sent := 0
	for ; err == nil; sent++ {
		_, err = send(link, parley.User("bob"), string(randomText(100_000)), "")
	}
	if !isUnavailable(err) || sent < 14 || sent > 300 {
		t.Errorf("after %d messages: %v", sent, err)
	}
	for l.Health() == nil { // room may have been made
		_, _ = send(link, parley.User("bob"), string(randomText(100_000)), "")
	}
	if err := l.Health(); err != nil && !strings.Contains(err.Error(), "data takes") {
		t.Errorf("health is %v", err)
	}
	_ = link.Close()
	short := keepAll
	short.Messages = 5
	link = l.Attach(&hub{keep: short})
	s, _ := l.use()
	s.keeper.trimSoon(parley.User("bob"))
	healthy(t, l, true)
	mustSend(t, link, parley.User("bob"), "after")
}

// randomText returns text that cannot be compressed.
func randomText(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// TestShortage looks at the bounds themselves.
func TestShortage(t *testing.T) {
	t.Parallel()
	const (
		gb   = 1 << 30
		disk = 1000 * gb
	)
	for _, test := range []struct {
		max, used, avail, total int64
		before, full            bool
	}{
		{0, 7 * gb, 100 * gb, disk, false, false},
		{0, 8*gb - 500<<20, 100 * gb, disk, false, true}, // compactions need room
		{0, 2 * gb, gb, 5 * gb, false, false},            // 80 % of a small disk
		{0, 4*gb - 500<<20, gb, 5 * gb, false, true},
		{20 * gb, 9 * gb, 100 * gb, disk, false, false},
		{100 * gb, 3 * gb, 2 * gb, 5 * gb, false, false}, // more than the disk
		{100 * gb, 4 * gb, 2 * gb, 5 * gb, false, true},
		{10 * gb, 9 * gb, 100 * gb, disk, false, false},
		{10 * gb, 10*gb - 600<<20, 100 * gb, disk, false, false},
		{10 * gb, 10*gb - 600<<20, 100 * gb, disk, true, true}, // until a little more is free
		{0, 0, minReserve - 1, disk, false, true},
		{0, 0, minReserve + 40<<20, disk, false, false},
		{0, 0, minReserve + 40<<20, disk, true, true},
		{0, gb, minReserve + 500<<20, disk, false, true}, // compactions need room
		{0, 0, gb / 1000, gb / 100, false, false},        // of a small disk, a twentieth
	} {
		mem := vfs.NewMem()
		mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: uint64(test.avail), TotalBytes: uint64(test.total)})
		cfg := testConfig("data")
		cfg.fs, cfg.MaxBytes = mem, test.max
		s := &store{cfg: &cfg, sizes: cfg.sizes(), fs: newGuardFS(mem, "data")}
		s.fs.used.all.Store(test.used)
		if test.before {
			s.setFull(errors.New("it was full"))
		}
		s.measure()
		if full := s.full.Load(); (full != nil) != test.full {
			t.Errorf("%+v: %v", test, full)
		}
	}
}
