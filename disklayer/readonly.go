package disklayer

import (
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

var (
	errReadOnly   = errors.New("the directory is opened for reading alone")
	errNoDatabase = errors.New("its file " + versionFile + " is there, but no database in " + dbDir + ": bring that back, or remove the whole directory to begin anew")
)

// noteUnsafe notes up to where a log is safe, some messages of which did not become so.
// A store for reading finds them in the write-ahead log, and they may be gone after a
// power cut: nobody is to see them.
func (s *store) noteUnsafe(l *logState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head.seq > l.safe.seq {
		s.unsafe[l.addr] = l.safe
	}
}

// syncLogs has the system write what another process left in the write-ahead logs.
// Where that fails it can still be read: it is what there is.
func (s *store) syncLogs() {
	names, err := s.cfg.fs.List(s.fs.dir)
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			err = errors.Join(err, syncFile(s.cfg.fs, s.fs.file(name)))
		}
	}
	if err != nil {
		s.cfg.Logger.Warn("disklayer: what is read may not be safe", "dir", s.cfg.dir, "err", err)
	}
}

func syncFile(fs vfs.FS, name string) error {
	f, err := fs.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// introduceUnsaved is introduce of a store for reading: it keeps the cursor in memory,
// beside those that are moved. All are saved at once when the directory can be written
// again. A crash before loses all of them: then the other devices' cursors are where
// they were, and the new device begins where it began now.
func (s *store) introduceUnsaved(of parley.Address, keep parley.Retention, name string, at parley.Cursor) error {
	defer s.cursors.lock(of)()
	all, err := s.namedCursors(of, keep)
	if err != nil {
		return err
	}
	if _, known := all[name]; known {
		return nil
	}
	head, err := s.head(of)
	switch {
	case err != nil:
		return err
	case at.Epoch != head.Epoch || at.Seq > head.Seq:
		return errNoPlace
	case !hasRoom(all, name):
		return errCursors
	}
	s.advance(of, name, at)
	return nil
}

// take takes over the moves that another one did not write.
func (c *cursors) take(from *cursors) {
	from.mu.Lock()
	all := append(from.writing, from.sure, from.unsure)
	from.clear()
	from.mu.Unlock()
	for _, m := range all {
		for of, names := range m {
			for name, to := range names {
				c.move(of, name, to, false)
			}
		}
	}
}
