package disklayer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/parley-rt/parley"
)

// badDisks are disks that can be read.
func badDisks() map[string]*badDisk {
	return map[string]*badDisk{
		"full":      {refuses: writes, err: syscall.ENOSPC},
		"read-only": {refuses: changes, err: syscall.EROFS},
		"sync":      {refuses: syncs, err: syscall.EIO},
		"write":     {refuses: writes, err: syscall.EIO},
	}
}

// ask has a reader do all that it does, on a disk that may be bad.
func ask(t *testing.T, link parley.Link, of parley.Address, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	head, err := link.Head(ctx, of)
	if err != nil {
		t.Fatalf("head: %v", err)
	}
	if got, _ := texts(t, link, of, parley.Cursor{}); strings.Join(got, " ") != want {
		t.Fatalf("read %q, want %q", got, want)
	}
	page, err := link.ReadBefore(ctx, of, parley.Cursor{}, parley.PageLimit{Messages: 1, Bytes: 1})
	if err != nil || len(page.Messages) != 1 || page.Messages[0].Cursor != head {
		t.Fatalf("the newest is %v, %v; the head is %v", page.Messages, err, head)
	}
	if err := link.Introduce(ctx, of, "new", parley.Cursor{Epoch: head.Epoch, Seq: 1}); err != nil {
		t.Fatalf("introducing a device: %v", err)
	}
	link.Advance(of, "phone", head)
	wantCursors(t, link, of, "phone", head.Seq, "new", 1)
}

func wantCursors(t *testing.T, link parley.Link, of parley.Address, all ...any) {
	t.Helper()
	cursors, err := link.Cursors(t.Context(), of)
	if err != nil {
		t.Fatalf("cursors: %v", err)
	}
	for i := 0; i < len(all); i += 2 {
		if got, want := fmt.Sprint(cursors[all[i].(string)].Seq), fmt.Sprint(all[i+1]); got != want {
			t.Errorf("%s is at %s, want %s", all[i], got, want)
		}
	}
}

// TestReadsFromBadDisk has a disk refuse changes under a store in use: all can be read,
// what is acknowledged meanwhile is saved afterwards, and nothing is accepted.
func TestReadsFromBadDisk(t *testing.T) {
	t.Parallel()
	for name, disk := range badDisks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig("data")
			cfg.fs, cfg.reopen, cfg.tick = errorfs.Wrap(vfs.NewMem(), disk), time.Millisecond, time.Millisecond
			l := mustOpen(t, cfg)
			hub := &hub{keep: keepAll}
			link := l.Attach(hub)
			bob := parley.User("bob")
			mustSend(t, link, bob, "one")
			mustSend(t, link, bob, "two")
			disk.bad.Store(true)
			for range 20 {
				if _, err := send(link, bob, "meanwhile", ""); !isUnavailable(err) {
					t.Fatalf("sending to a bad disk: %v", err)
				}
				ask(t, link, bob, "one two")
			}
			if err := l.Health(); !errors.Is(err, disk.err) {
				t.Errorf("health is %v", err)
			}
			disk.bad.Store(false)
			healthy(t, l, true)
			wantCursors(t, link, bob, "phone", 2, "new", 1)
			mustSend(t, link, bob, "after")
			if err := l.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
			wantCursors(t, mustOpen(t, cfg).Attach(hub), bob, "phone", 2, "new", 1)
		})
	}
}

// TestOpensBadDisk opens a directory that was killed and cannot be written now.
func TestOpensBadDisk(t *testing.T) {
	t.Parallel()
	for name, disk := range badDisks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig("data")
			cfg.fs, cfg.reopen = errorfs.Wrap(vfs.NewMem(), disk), time.Millisecond
			l := mustOpen(t, cfg)
			hub := &hub{keep: keepAll}
			bob := parley.User("bob")
			link := l.Attach(hub)
			mustSend(t, link, bob, "one")
			epoch := mustSend(t, link, bob, "two").Cursor.Epoch
			kill(l)
			disk.bad.Store(true)
			l = mustOpen(t, cfg)
			link = l.Attach(hub)
			ask(t, link, bob, "one two")
			if _, err := send(link, bob, "meanwhile", ""); !isUnavailable(err) || !errors.Is(err, disk.err) {
				t.Errorf("sending to a bad disk: %v", err)
			}
			if err := l.Health(); !errors.Is(err, disk.err) {
				t.Errorf("health is %v", err)
			}
			disk.bad.Store(false)
			healthy(t, l, true)
			wantCursors(t, link, bob, "phone", 2, "new", 1)
			if sent := mustSend(t, link, bob, "after"); sent.Cursor != (parley.Cursor{Epoch: epoch, Seq: 3}) {
				t.Errorf("the next place is %v, the epoch was %d", sent.Cursor, epoch)
			}
		})
	}
}

// TestUnsafeIsNotRead has a sync fail: what was written and not synced is not read from
// the store that follows, whose disk may lose it.
func TestUnsafeIsNotRead(t *testing.T) {
	t.Parallel()
	disk := &badDisk{refuses: syncs, err: syscall.EIO}
	cfg := testConfig("data")
	cfg.fs, cfg.reopen = errorfs.Wrap(vfs.NewMem(), disk), time.Hour
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	bob, eve := parley.User("bob"), parley.User("eve")
	mustSend(t, link, bob, "safe")
	disk.bad.Store(true)
	for _, to := range []parley.Address{bob, eve} {
		if _, err := send(link, to, "unsafe", ""); !isUnavailable(err) {
			t.Fatalf("sending to a bad disk: %v", err)
		}
	}
	if got, _ := texts(t, link, bob, parley.Cursor{}); len(got) != 1 {
		t.Errorf("read %q", got)
	}
	if got, _ := texts(t, link, eve, parley.Cursor{}); len(got) != 0 {
		t.Errorf("read %q", got)
	}
	if head, err := link.Head(t.Context(), bob); err != nil || head.Seq != 1 {
		t.Errorf("the head is %v, %v", head, err)
	}
}

// slowDisk holds up opening for reading until it is told to go on.
type slowDisk struct {
	badDisk
	held  atomic.Bool
	waits chan struct{}
	goOn  chan struct{}
}

func (d *slowDisk) MaybeError(op errorfs.Op) error {
	if op.Kind == errorfs.OpOpenDir && d.held.CompareAndSwap(true, false) {
		close(d.waits)
		<-d.goOn
	}
	return d.badDisk.MaybeError(op)
}

// TestReadWaitsForReopening reads between a store's failure and what follows: the call
// waits, its context ends that, and closing the layer does.
func TestReadWaitsForReopening(t *testing.T) {
	t.Parallel()
	disk := &slowDisk{badDisk: badDisk{refuses: writes, err: syscall.ENOSPC}, waits: make(chan struct{}), goOn: make(chan struct{})}
	cfg := testConfig("data")
	cfg.fs, cfg.reopen = errorfs.Wrap(vfs.NewMem(), disk), time.Hour
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	bob := parley.User("bob")
	mustSend(t, link, bob, "hello")
	disk.held.Store(true)
	disk.bad.Store(true)
	if _, err := send(link, bob, "meanwhile", ""); !isUnavailable(err) {
		t.Fatalf("sending to a bad disk: %v", err)
	}
	<-disk.waits
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := link.Head(ctx, bob); !isUnavailable(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a reader that did not wait: %v", err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := link.Head(context.Background(), bob)
		got <- err
	}()
	link.Advance(bob, "phone", mustHead(t, l, bob))
	select {
	case err := <-got:
		t.Errorf("it did not wait: %v", err)
	default:
	}
	close(disk.goOn)
	if err := <-got; err != nil {
		t.Errorf("a reader that waited: %v", err)
	}
	wantCursors(t, link, bob, "phone", 1)
}

// mustHead returns the head that the newest store knows.
func mustHead(t *testing.T, l *Layer, of parley.Address) parley.Cursor {
	t.Helper()
	seq, ok := l.newest().logs.peek(of)
	if !ok {
		t.Fatal("the log is not in memory")
	}
	return parley.Cursor{Epoch: l.newest().epoch, Seq: seq}
}

// TestReadOnly opens directories only to read them: nothing in them changes, and a copy
// can be made.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	disk := &badDisk{refuses: changes, err: syscall.EROFS}
	mem := vfs.NewMem()
	cfg := testConfig("data")
	cfg.fs = errorfs.Wrap(mem, disk)
	bob := parley.User("bob")
	reading := cfg
	reading.ReadOnly = true
	for _, end := range []func(*Layer){kill, func(l *Layer) { _ = l.Close() }} {
		disk.bad.Store(false)
		l := mustOpen(t, cfg)
		mustSend(t, l.Attach(&hub{keep: keepAll}), bob, "hello")
		end(l)
		disk.bad.Store(true)
		before := mem.String()
		l = mustOpen(t, reading)
		link := l.Attach(&hub{keep: keepAll})
		if _, err := send(link, bob, "more", ""); !isUnavailable(err) || !strings.Contains(err.Error(), "for reading alone") {
			t.Errorf("sending: %v", err)
		}
		if got, _ := texts(t, link, bob, parley.Cursor{}); len(got) == 0 || got[0] != "hello" {
			t.Errorf("read %q", got)
		}
		if after := mem.String(); after != before {
			t.Errorf("the directory was\n%s\nand is\n%s", before, after)
		}
		if err := l.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
	disk.bad.Store(false)
	l := mustOpen(t, reading)
	if err := l.Backup(t.Context(), "copy", nil); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Backup(ended, "ended", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a backup of a caller who left: %v", err)
	}
	copied := cfg
	copied.dir = "copy"
	for _, c := range []config{copied, copied} { // the second time it is no copy any more
		l := mustOpen(t, c)
		if got, _ := texts(t, l.Attach(&hub{keep: keepAll}), bob, parley.Cursor{}); strings.Join(got, " ") != "hello hello" {
			t.Errorf("the copy has %q", got)
		}
		_ = l.Close() // it was only read
	}
}

// TestReadOnlyNothing opens what cannot be read: nothing is made.
func TestReadOnlyNothing(t *testing.T) {
	t.Parallel()
	cfg := testConfig(filepath.Join(t.TempDir(), "data"))
	cfg.ReadOnly = true
	if _, err := open(cfg); err == nil {
		t.Error("a directory that is not there was opened")
	}
	if _, err := os.Stat(cfg.dir); !os.IsNotExist(err) {
		t.Errorf("it was made: %v", err)
	}
	cfg.dir = t.TempDir()
	if _, err := open(cfg); err == nil || !strings.Contains(err.Error(), "there is nothing to read") {
		t.Errorf("opening an empty one: %v", err)
	}
}

// TestEpochFromReading opens a backup first where it cannot be written: the epoch that
// clients are told then is the one that it has later.
func TestEpochFromReading(t *testing.T) {
	t.Parallel()
	disk := &badDisk{refuses: changes, err: syscall.EROFS}
	cfg := testConfig("data")
	cfg.fs, cfg.reopen = errorfs.Wrap(vfs.NewMem(), disk), time.Millisecond
	bob := parley.User("bob")
	l := mustOpen(t, cfg)
	was := mustSend(t, l.Attach(&hub{keep: keepAll}), bob, "hello").Cursor
	if err := l.Backup(t.Context(), "copy", nil); err != nil {
		t.Fatal(err)
	}
	cfg.dir = "copy"
	disk.bad.Store(true)
	l = mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	head, err := link.Head(t.Context(), bob)
	if err != nil || head.Seq != was.Seq || head.Epoch == was.Epoch {
		t.Fatalf("the head was %v and is %v, %v", was, head, err)
	}
	disk.bad.Store(false)
	healthy(t, l, true)
	if got, err := link.Head(t.Context(), bob); got != head || err != nil {
		t.Errorf("the head was %v and is %v, %v", head, got, err)
	}
}
