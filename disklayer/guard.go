package disklayer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS is the file system of one opening of the database. The first change of
// a file that fails ends its use: that change and all later ones report success
// and do nothing. So a database that is given up touches no file any more, and
// never learns why; told the error, Pebble 2.1.7 would panic holding its locks,
// unlock one that it does not hold, which ends the process, or flush again and
// again without a pause. Whoever waited for a change must therefore ask err
// before believing that it happened.
//
// Files outside of dir, those of a backup, are left alone.
type guardFS struct {
	vfs.FS
	dir       string
	used      usage
	limit     int64        // of used, which the database is told is the disk's; 0: it is told the disk's own
	same      func() error // reports whether dir is the directory that was opened; nil in memory
	walNoSync atomic.Bool  // Process: syncing the write-ahead log does nothing, but at its end

	changes sync.RWMutex // read-locked during each change
	over    atomic.Bool
	once    sync.Once
	why     error         // set before over
	failed  chan struct{} // closed with the first failure
}

func newGuardFS(fs vfs.FS, dir string) *guardFS {
	return &guardFS{FS: fs, dir: dir, used: usage{files: map[string]*taken{}}, failed: make(chan struct{})}
}

// fail ends the use of the files.
func (g *guardFS) fail(err error) {
	g.once.Do(func() {
		g.why = err
		g.over.Store(true)
		close(g.failed)
	})
}

// err returns why the files are not changed any more, or nil.
func (g *guardFS) err() error {
	if g.over.Load() {
		return g.why
	}
	return nil
}

// settle waits for the changes that began before the failure.
func (g *guardFS) settle() {
	g.changes.Lock()
	defer g.changes.Unlock()
}

// file returns the path of a file in the directory.
func (g *guardFS) file(name string) string { return g.PathJoin(g.dir, name) }

func (g *guardFS) owns(name string) bool {
	rest, ok := strings.CutPrefix(name, g.dir)
	return ok && (rest == "" || os.IsPathSeparator(rest[0]) || rest[0] == '/')
}

// change does op unless the files' use is over.
func (g *guardFS) change(what, name string, op func() error) error {
	g.changes.RLock()
	defer g.changes.RUnlock()
	if g.over.Load() {
		return nil
	}
	err := op()
	if err == nil || oserror.IsNotExist(err) && (what == "open" || what == "remove") { // which Pebble tries
		return err
	}
	if _, named := errors.AsType[*os.PathError](err); !named {
		err = fmt.Errorf("%s %s: %w", what, name, err)
	}
	g.fail(err)
	return nil
}

// there returns nil while the directory is the one that was opened: another one's files
// are neither read nor changed.
func (g *guardFS) there() error {
	if g.same == nil {
		return nil
	}
	return g.same()
}

// Open opens a file for reading.
func (g *guardFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if g.owns(name) {
		if err := g.there(); err != nil {
			g.fail(err)
			return nil, err
		}
	}
	return g.FS.Open(name, opts...)
}

// open opens a file for writing.
func (g *guardFS) open(what, name string, op func() (vfs.File, error)) (vfs.File, error) {
	if !g.owns(name) {
		return op()
	}
	wal := isLog(name)
	var f vfs.File
	var at attached
	err := g.named(what, name, func() error {
		opened, err := op()
		if err == nil && wal {
			at, err = g.attach(name)
		}
		f = opened
		return err
	})
	if err != nil {
		return nil, err
	}
	if f == nil {
		return &voidFile{name: g.PathBase(name)}, nil
	}
	return &guardFile{File: f, g: g, name: name, wal: wal, taken: g.used.file(name), at: at}, nil
}

func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open("create", name, func() (vfs.File, error) {
		g.used.remove(name)
		return g.FS.Create(name, c)
	})
}

func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.open("open", name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, opts...) })
}

func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	return g.open("open", name, func() (vfs.File, error) { return g.FS.OpenDir(name) })
}

func (g *guardFS) named(what, name string, op func() error) error {
	if !g.owns(name) {
		return op()
	}
	return g.change(what, name, func() error {
		if err := g.there(); err != nil {
			return err
		}
		return op()
	})
}

func (g *guardFS) Link(oldname, newname string) error {
	return g.named("link", newname, func() error { return g.FS.Link(oldname, newname) })
}

func (g *guardFS) Remove(name string) error {
	return g.named("remove", name, func() error {
		err := g.FS.Remove(name)
		if err == nil {
			g.used.remove(name)
		}
		return err
	})
}

func (g *guardFS) RemoveAll(name string) error {
	return g.named("remove", name, func() error { return g.FS.RemoveAll(name) })
}

func (g *guardFS) Rename(oldname, newname string) error {
	return g.named("rename", newname, func() error {
		err := g.FS.Rename(oldname, newname)
		if err == nil {
			g.used.rename(oldname, newname)
		}
		return err
	})
}

func (g *guardFS) MkdirAll(name string, perm os.FileMode) error {
	return g.named("make", name, func() error { return g.FS.MkdirAll(name, perm) })
}

// GetDiskUsage has the database see its bound as the disk's. It widens a compaction by
// up to half of what is free, so it is told half of that.
func (g *guardFS) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	d, err := g.FS.GetDiskUsage(path)
	if g.limit == 0 {
		return d, err
	}
	free := uint64(max(0, g.limit-g.used.all.Load())) / 2
	if err == nil {
		free = min(free, d.AvailBytes/2)
	}
	return vfs.DiskUsage{AvailBytes: free, TotalBytes: uint64(g.limit), UsedBytes: uint64(g.limit) - free}, nil
}

// Lock does nothing: the layer holds the directory's lock across openings.
func (g *guardFS) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// guardFile is a file of a guardFS.
type guardFile struct {
	vfs.File
	g     *guardFS
	name  string
	wal   bool // it is a write-ahead log
	taken *taken

	at      attached
	written atomic.Int64 // where Write goes on
}

// sync syncs the file, and looks whether it is still there.
func (f *guardFile) sync(op func() error) error {
	return f.g.change("sync", f.name, func() error {
		if err := op(); err != nil {
			return err
		}
		return f.at.check()
	})
}

func nothing() error { return nil }

func (f *guardFile) noSync() bool { return f.wal && f.g.walNoSync.Load() }

func (f *guardFile) Write(p []byte) (int, error) {
	return len(p), f.g.change("write", f.name, func() error {
		if err := f.at.whole(f.File, f.written.Load()); err != nil {
			return err
		}
		f.taken.grow(f.written.Load() + int64(len(p))) // before it is there
		n, err := f.File.Write(p)
		f.written.Add(int64(n))
		return err
	})
}

func (f *guardFile) WriteAt(p []byte, at int64) (int, error) {
	return len(p), f.g.change("write", f.name, func() error {
		f.taken.grow(at + int64(len(p)))
		_, err := f.File.WriteAt(p, at)
		return err
	})
}

// Preallocate does nothing: a log takes what it holds.
func (f *guardFile) Preallocate(int64, int64) error { return nil }

func (f *guardFile) Sync() error {
	if f.noSync() {
		return f.sync(nothing)
	}
	return f.sync(f.File.Sync)
}

func (f *guardFile) SyncData() error {
	if f.noSync() {
		return f.sync(nothing)
	}
	return f.sync(f.File.SyncData)
}

func (f *guardFile) SyncTo(length int64) (full bool, err error) {
	err = f.g.change("sync", f.name, func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

// Close closes the file, always. A log that is not synced as it grows is synced
// now: Pebble takes one that a newer one follows for whole.
func (f *guardFile) Close() error {
	if f.noSync() {
		_ = f.sync(f.File.SyncData)
	}
	if info, err := f.File.Stat(); err == nil && f.written.Load() > 0 {
		f.taken.set(max(allocated(info), roundedUp(info)))
	}
	if err := f.File.Close(); err != nil {
		return f.g.change("close", f.name, func() error { return err })
	}
	return nil
}

// voidFile stands for a file that was created once changes had no effect.
type voidFile struct {
	vfs.File // nil: nobody asks for the rest
	name     string
	size     int64
}

func (f *voidFile) Write(p []byte) (int, error) {
	f.size += int64(len(p))
	return len(p), nil
}
func (f *voidFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (f *voidFile) Read([]byte) (int, error)               { return 0, io.ErrUnexpectedEOF }
func (f *voidFile) ReadAt([]byte, int64) (int, error)      { return 0, io.ErrUnexpectedEOF }
func (f *voidFile) Preallocate(int64, int64) error         { return nil }
func (f *voidFile) Sync() error                            { return nil }
func (f *voidFile) SyncData() error                        { return nil }
func (f *voidFile) SyncTo(int64) (bool, error)             { return true, nil }
func (f *voidFile) Prefetch(int64, int64) error            { return nil }
func (f *voidFile) Close() error                           { return nil }
func (f *voidFile) Fd() uintptr                            { return vfs.InvalidFd }

func (f *voidFile) Stat() (vfs.FileInfo, error) { return voidInfo{name: f.name, size: f.size}, nil }

// voidInfo describes a voidFile.
type voidInfo struct {
	os.FileInfo // nil: nobody asks for the rest
	name        string
	size        int64
}

func (i voidInfo) Name() string           { return i.name }
func (i voidInfo) Size() int64            { return i.size }
func (i voidInfo) IsDir() bool            { return false }
func (i voidInfo) Mode() os.FileMode      { return 0 }
func (i voidInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
