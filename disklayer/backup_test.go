package disklayer

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

// stallFS has writes to files of one directory wait.
type stallFS struct {
	vfs.FS
	dir    string
	stall  atomic.Pointer[func(name string)] // called before each write
	reused atomic.Int64                      // how many files were used a second time
	damage atomic.Bool                       // what is written to tables is changed
}

func (fs *stallFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, c)
	if err == nil && strings.HasPrefix(name, fs.dir) {
		f = &stallFile{f, fs, name}
	}
	return f, err
}

func (fs *stallFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	fs.reused.Add(1)
	return fs.FS.ReuseForWrite(oldname, newname, c)
}

type stallFile struct {
	vfs.File
	fs   *stallFS
	name string
}

func (f *stallFile) Write(p []byte) (int, error) {
	if stall := f.fs.stall.Load(); stall != nil {
		(*stall)(f.name)
	}
	if f.fs.damage.Load() && strings.HasSuffix(f.name, ".sst") && len(p) > 0 {
		p = slices.Clone(p)
		p[len(p)/2] ^= 1
	}
	return f.File.Write(p)
}

// crowd is senders that append without a pause, each to an address of its own.
type crowd struct {
	sent     []atomic.Int64 // how many of each one's messages were accepted
	accepted atomic.Int64
	stop     context.CancelFunc
	done     chan struct{}
}

func startCrowd(t testing.TB, link parley.Link, senders int) *crowd {
	ctx, stop := context.WithCancel(t.Context())
	c := &crowd{sent: make([]atomic.Int64, senders), stop: stop, done: make(chan struct{})}
	padding := strings.Repeat("x", 1000)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for n := int64(0); ctx.Err() == nil; n++ {
				if _, err := send(link, crowdAddress(i), fmt.Sprint(n, " ", padding), ""); err != nil {
					t.Errorf("sender %d: %v", i, err)
					return
				}
				c.sent[i].Store(n + 1)
				c.accepted.Add(1)
			}
		})
	}
	go func() {
		defer close(c.done)
		all.Wait()
	}()
	t.Cleanup(c.end)
	return c
}

func crowdAddress(i int) parley.Address { return parley.User(fmt.Sprint("sender ", i)) }

// more waits until n more messages were accepted, or the crowd ends.
func (c *crowd) more(n int64) {
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	for want := c.accepted.Load() + n; c.accepted.Load() < want; {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
	}
}

func (c *crowd) end() {
	c.stop()
	<-c.done
}

// atLeast returns what was accepted of each sender.
func (c *crowd) atLeast() []int64 {
	least := make([]int64, len(c.sent))
	for i := range least {
		least[i] = c.sent[i].Load()
	}
	return least
}

// checkCopy opens a copy: of each sender it has the newest messages without a gap, and
// all that were accepted before it was made.
func checkCopy(t *testing.T, cfg config, dir string, least []int64) {
	t.Helper()
	cfg.dir = dir
	l, err := open(cfg)
	if err != nil {
		t.Errorf("opening the copy: %v", err)
		return
	}
	defer l.Close()
	link := l.Attach(&hub{keep: keepAll})
	for i, want := range least {
		got, _ := texts(t, link, crowdAddress(i), parley.Cursor{})
		next := int64(-1)
		for _, text := range got {
			number, _, _ := strings.Cut(text, " ")
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil || next >= 0 && n != next {
				t.Fatalf("sender %d: message %.20q, want %d", i, text, next)
			}
			next = n + 1
		}
		if next < want {
			t.Errorf("sender %d: %d messages, want %d", i, next, want)
		}
	}
}

// TestBackupStalled makes PARLEY_BACKUPS copies of a store under load, to a disk that
// stalls until more was accepted. Each one opens, and is complete.
func TestBackupStalled(t *testing.T) {
	t.Parallel()
	fs := &stallFS{FS: vfs.NewMem(), dir: "copy"}
	cfg := testConfig("data")
	cfg.fs, cfg.memTable = fs, 256<<10
	l := mustOpen(t, cfg)
	senders := startCrowd(t, l.Attach(&hub{keep: parley.Retention{Messages: 20, Bytes: 1 << 20, Age: time.Hour}}), 64)
	senders.more(2000) // several write-ahead logs
	for n := range fromEnv("PARLEY_BACKUPS", 3) {
		var writes atomic.Int64
		stall := func(name string) {
			if strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".sst") && writes.Add(1)%32 == 0 {
				senders.more(20)
			}
		}
		fs.stall.Store(&stall)
		dir, least := fmt.Sprint("copy", n), senders.atLeast()
		if err := l.Backup(t.Context(), dir, nil); err != nil {
			t.Errorf("backup %d: %v", n, err)
			continue
		}
		fs.stall.Store(nil)
		checkCopy(t, cfg, dir, least)
		if err := fs.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}
	if n := fs.reused.Load(); n > 0 {
		t.Errorf("%d write-ahead logs were used a second time", n)
	}
}

// TestBackupCancelled cancels a backup at a write: it does no more than that.
func TestBackupCancelled(t *testing.T) {
	t.Parallel()
	fs := &stallFS{FS: vfs.NewMem(), dir: "copy"}
	cfg := testConfig("data")
	cfg.fs, cfg.memTable = fs, 256<<10
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	for range 100 {
		mustSend(t, link, parley.User("bob"), string(randomText(50_000)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writes atomic.Int64
	stall := func(name string) {
		if strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log") {
			cancel()
			writes.Add(1)
		}
	}
	fs.stall.Store(&stall)
	if err := l.Backup(ctx, "copy", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the backup returned %v", err)
	}
	if n := writes.Load(); n == 0 || n > 200 { // of more than a thousand
		t.Errorf("%d writes after the backup was cancelled", n)
	}
	if names, err := fs.List("copy"); err != nil || len(names) > 0 {
		t.Errorf("the copy holds %q, %v", names, err)
	}
	fs.stall.Store(nil)
	if err := l.Backup(t.Context(), "copy", nil); err != nil {
		t.Errorf("the next backup: %v", err)
	}
}

// TestBackupHangs has the disk of a copy hang while the store fails: the store is
// opened again meanwhile, and closed.
func TestBackupHangs(t *testing.T) {
	t.Parallel()
	fs := &stallFS{FS: vfs.NewMem(), dir: "copy"}
	cfg := testConfig("data")
	cfg.fs, cfg.reopen, cfg.memTable = fs, time.Millisecond, 256<<10
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	for range 100 {
		mustSend(t, link, parley.User("bob"), string(randomText(50_000)))
	}
	hangs, goesOn := make(chan struct{}, 1000), make(chan struct{})
	stall := func(string) {
		hangs <- struct{}{}
		<-goesOn
	}
	fs.stall.Store(&stall)
	result := make(chan error, 1)
	go func() { result <- l.Backup(t.Context(), "copy", nil) }()
	<-hangs
	s, err := l.use()
	if err != nil {
		t.Fatal(err)
	}
	s.fs.fail(errors.New("the disk fails"))
	again := make(chan struct{})
	go func() {
		defer close(again)
		healthy(t, l, false)
		healthy(t, l, true)
		mustSend(t, link, parley.User("bob"), "after")
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-again:
	case <-time.After(10 * time.Second):
		t.Error("the store was not opened again while the disk of a copy hung")
	}
	close(goesOn)
	if err := <-result; !isUnavailable(err) {
		t.Errorf("the backup returned %v", err)
	}
	<-again
}

// TestBackupDamaged has the disk of a copy change what is written to it.
func TestBackupDamaged(t *testing.T) {
	t.Parallel()
	fs := &stallFS{FS: vfs.NewMem(), dir: "copy"}
	cfg := testConfig("data")
	cfg.fs = fs
	l := mustOpen(t, cfg)
	mustSend(t, l.Attach(&hub{keep: keepAll}), parley.User("bob"), string(randomText(50_000)))
	fs.damage.Store(true)
	if err := l.Backup(t.Context(), "copy", nil); err == nil {
		t.Error("a damaged copy is called good")
	}
	if names, err := fs.List("copy"); err != nil || len(names) > 0 {
		t.Errorf("the copy holds %q, %v", names, err)
	}
}

// TestBackupProgress follows a backup from its beginning to its end.
func TestBackupProgress(t *testing.T) {
	t.Parallel()
	cfg := testConfig("data")
	cfg.fs, cfg.memTable = vfs.NewMem(), 256<<10
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	for range 200 {
		mustSend(t, link, parley.User("bob"), string(randomText(50_000)))
	}
	var shares []float64
	if err := l.Backup(t.Context(), "copy", func(share float64) { shares = append(shares, share) }); err != nil {
		t.Fatal(err)
	}
	if n := len(shares); n < 5 || shares[n-1] != 1 || shares[0] > 0.4 || !slices.IsSorted(shares) {
		t.Errorf("the progress is %v", shares)
	}
}

// TestBackupIsPrivate copies a directory that others may read: they may not read the
// copy.
func TestBackupIsPrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no permissions here")
	}
	cfg := testConfig(t.TempDir())
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	mustSend(t, link, parley.User("bob"), "hello")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, cfg) // now there is a table
	opened := func(name string, d iofs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(name, 0o755)
	}
	if err := filepath.WalkDir(cfg.dir, opened); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{empty, filepath.Join(t.TempDir(), "new", "copy")} {
		if err := l.Backup(t.Context(), dir, nil); err != nil {
			t.Fatal(err)
		}
		private := func(name string, d iofs.DirEntry, err error) error {
			if err != nil || name == empty {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode()&0o077 != 0 {
				t.Errorf("%s has %v", name, info.Mode())
			}
			return err
		}
		if err := filepath.WalkDir(dir, private); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBackupInside copies into the data directory, and to a directory around it, by
// several ways: none is gone.
func TestBackupInside(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	data := filepath.Join(base, "some", "data")
	link := filepath.Join(base, "link")
	if err := os.Symlink(data, link); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(filepath.Join(base, "some"), filepath.Join(base, "around")); err != nil {
		t.Fatal(err)
	}
	throughLink := filepath.Join(base, "some", "..", "link")
	l := mustOpen(t, testConfig(data))
	byLink := func(name string) string { return filepath.Join(link, name) }
	for _, test := range []struct{ dir, want string }{
		{data, "in the data directory"},
		{filepath.Join(data, "db", "copy"), "in the data directory"},
		{link, "in the data directory"},
		{throughLink, "in the data directory"},
		{byLink("copy"), "in the data directory"},
		{byLink("some/../copy"), "in the data directory"},
		{filepath.Join(base, "some"), "holds the data directory"},
		{filepath.Join(base, "around"), "holds the data directory"},
	} {
		err := l.Backup(t.Context(), test.dir, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("copying to %s: %v, want %s", test.dir, err, test.want)
		}
	}
	names, err := os.ReadDir(data)
	if err != nil || len(names) != 3 {
		t.Errorf("the data directory holds %v, %v", names, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, testConfig(link)) // the directory itself by a link
	if err := l.Backup(t.Context(), filepath.Join(data, "copy"), nil); err == nil {
		t.Error("a copy goes into the data directory that a link is for")
	}
	if err := l.Backup(t.Context(), filepath.Join(base, "some", "data copy"), nil); err != nil {
		t.Errorf("copying beside the data directory: %v", err)
	}
}
