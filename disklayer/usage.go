package disklayer

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// blockBytes is how the disk's space is counted.
const blockBytes = 4096

// usage counts what the files of a directory take on the disk, as they grow.
type usage struct {
	all  atomic.Int64
	logs atomic.Int64 // of these, write-ahead logs

	mu    sync.Mutex        // guards what follows
	files map[string]*taken // by name
}

// taken is what one file takes.
type taken struct {
	usage *usage
	log   bool
	size  atomic.Int64
	bytes atomic.Int64 // whole blocks
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// begin counts what is there.
func (u *usage) begin(fs vfs.FS, dir string) error {
	u.files = map[string]*taken{}
	names, err := fs.List(dir)
	if err != nil && !oserror.IsNotExist(err) { // which the database tells
		return err
	}
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			return err
		}
		f := u.file(path)
		f.grow(info.Size())
		f.set(allocated(info))
	}
	return nil
}

// file returns a file's entry, and makes it where there is none.
func (u *usage) file(name string) *taken {
	u.mu.Lock()
	defer u.mu.Unlock()
	f := u.files[name]
	if f == nil {
		f = &taken{usage: u, log: isLog(name)}
		u.files[name] = f
	}
	return f
}

// remove counts a file no more.
func (u *usage) remove(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if f := u.files[name]; f != nil {
		f.set(0)
		delete(u.files, name)
	}
}

// rename counts a file under another name.
func (u *usage) rename(from, to string) {
	u.remove(to)
	u.mu.Lock()
	defer u.mu.Unlock()
	if f := u.files[from]; f != nil {
		delete(u.files, from)
		u.files[to] = f
	}
}

// grow counts a file that has that size at least.
func (f *taken) grow(size int64) {
	if size > f.size.Load() {
		f.size.Store(size)
		f.set(max(f.bytes.Load(), (size+blockBytes-1)/blockBytes*blockBytes))
	}
}

// set notes what a file takes.
func (f *taken) set(bytes int64) {
	grown := bytes - f.bytes.Swap(bytes)
	f.usage.all.Add(grown)
	if f.log {
		f.usage.logs.Add(grown)
	}
}

// roundedUp returns what a file of that size takes where nothing else is known.
func roundedUp(info os.FileInfo) int64 {
	return (info.Size() + blockBytes - 1) / blockBytes * blockBytes
}
