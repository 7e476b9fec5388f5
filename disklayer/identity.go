package disklayer

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// heldDir is a directory that is held by its descriptor: as long as it is, no other one
// has its identity. A nil one is of a file system in memory.
type heldDir struct {
	path string
	file *os.File
	info os.FileInfo
}

// hold opens a directory.
func hold(path string) (*heldDir, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &heldDir{path, file, info}, nil
}

// same returns nil while the path leads to the directory that is held. Its errors are
// never ErrNotExist, which the database takes for a file that it may do without.
func (h *heldDir) same() error {
	if h == nil {
		return nil
	}
	now, err := os.Stat(h.path)
	switch {
	case errors.Is(err, iofs.ErrNotExist):
		return fmt.Errorf("%s was removed or moved while it was in use: bring it back, or start again", h.path)
	case err != nil:
		return fmt.Errorf("%s cannot be found any more: %w", h.path, err)
	case !os.SameFile(now, h.info):
		return fmt.Errorf("%s is another directory now than the one in use: bring that back, or start again", h.path)
	}
	return nil
}

func (h *heldDir) close() error {
	if h == nil {
		return nil
	}
	return h.file.Close()
}

// attached is what is known of a write-ahead log, to tell that what is synced there will
// be found again.
type attached struct {
	name string
	info os.FileInfo // nil where files have no identity
}

// attach looks at a file that was just made.
func (g *guardFS) attach(name string) (a attached, err error) {
	if g.same != nil {
		a.name = name
		a.info, err = os.Stat(name)
	}
	return a, err
}

// check returns nil while the path leads to the file. It costs a call of stat for each
// sync, and is made after it: what was synced into a file without a name, or in a
// directory that is gone, is not accepted.
func (a attached) check() error {
	if a.info == nil {
		return nil
	}
	now, err := os.Stat(a.name)
	switch {
	case errors.Is(err, iofs.ErrNotExist):
		return errors.New("it was removed or moved while it was in use")
	case err != nil:
		return err
	case !os.SameFile(now, a.info):
		return errors.New("another file has its path now")
	}
	return nil
}

// whole returns nil while a file has what was written to it. It is asked before more is
// written: behind the place where it was cut.
func (a attached) whole(f vfs.File, written int64) error {
	if a.info == nil {
		return nil
	}
	now, err := f.Stat()
	if err == nil && now.Size() < written {
		err = fmt.Errorf("it was cut to %d bytes of %d while it was in use", now.Size(), written)
	}
	return err
}
