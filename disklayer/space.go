package disklayer

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// minReserve is how much of the disk stays free for others, on a disk that is not
// small.
const minReserve = 192 << 20

// besides is what a directory takes besides the database's files.
const besides = 64 << 10

// sizes follow from the bound of a directory, so that what the database does on its
// own has room within it.
type sizes struct {
	limit    int64  // of the directory
	reserve  int64  // how much of it compactions and trimming may need
	memTable uint64 // of each memtable, and so of a write-ahead log
	table    int64  // of each table
	base     int64  // of the first level below the newest
	parallel int    // compactions
}

// sizes returns them for the disk as it is now.
func (c *config) sizes() sizes {
	limit := c.MaxBytes
	if limit <= 0 {
		limit = maxDefault
	}
	if disk, err := c.fs.GetDiskUsage(c.dir); err == nil {
		limit = min(limit, int64(disk.TotalBytes/10*8))
	}
	part := func(of, least, most int64) int64 { return min(max(limit/of, least), most) }
	z := sizes{
		limit:    limit,
		reserve:  part(4, min(limit/2, 32<<20), 512<<20),
		memTable: uint64(part(128, 128<<10, int64(c.memTable))),
		table:    part(256, 64<<10, 16<<20),
		base:     part(16, 256<<10, 64<<20),
		parallel: 2,
	}
	if limit < 1<<30 {
		z.parallel = 1
	}
	return z
}

// measure notes whether there is room for more.
func (s *store) measure() {
	disk, err := s.cfg.fs.GetDiskUsage(s.cfg.dir)
	if err != nil && !errors.Is(err, vfs.ErrUnsupported) {
		s.cfg.Logger.Warn("disklayer: the disk's free space is not known", "dir", s.cfg.dir, "err", err)
	}
	var now space
	if err == nil {
		now = space{known: true, free: int64(disk.AvailBytes), total: int64(disk.TotalBytes), used: s.fs.used.all.Load()}
	}
	s.disk.Store(&now)
	least := int64(s.sizes.memTable)
	if s.full.Load() != nil {
		least += s.sizes.limit / 32 // a little more, to be so no more
	}
	s.setFull(s.shortage(least))
	if s.full.Load() != nil && s.trims > 0 {
		s.flushTables() // what was trimmed takes space until tables are written without it
	}
}

// space is the disk's, as it was measured last.
type space struct {
	known       bool
	free, total int64
	used        int64 // by the directory
}

// shortage returns why there is no room for an append of that size, or nil. The size
// counts twice, as do write-ahead logs: a log goes once its tables are written.
func (s *store) shortage(size int64) error {
	used, logs := s.fs.used.all.Load(), s.fs.used.logs.Load()
	more := logs + 2*(s.flying.Load()+size) + min(s.sizes.reserve, used)
	if used+more+besides > s.sizes.limit {
		return fmt.Errorf("%s takes %d MB and needs %d MB to work in, and may take %d MB", s.cfg.dir, used>>20, more>>20, s.sizes.limit>>20)
	}
	disk := s.disk.Load()
	if !disk.known {
		return nil
	}
	more += min(minReserve, disk.total/20)
	if free := disk.free - (used - disk.used); free < more {
		return fmt.Errorf("the disk of %s has %d MB free, and %d MB are needed", s.cfg.dir, free>>20, more>>20)
	}
	return nil
}

// flushTables has the database write what it holds in memory, without waiting.
// The keeper calls it.
func (s *store) flushTables() {
	s.trims = 0
	if err := s.enter(); err != nil {
		return
	}
	_, err := s.db.AsyncFlush()
	if err = s.leave(err); err != nil {
		s.cfg.Logger.Warn("disklayer: flushing", "dir", s.cfg.dir, "err", err)
	}
}

// setFull notes why there is no room, and logs where that changes.
func (s *store) setFull(why error) {
	before := s.full.Load()
	switch {
	case why == nil:
		s.full.Store(nil)
		if before != nil {
			s.cfg.Logger.Info("disklayer: messages can be kept again", "dir", s.cfg.dir)
		}
	default:
		s.full.Store(&why)
		if before == nil {
			s.cfg.Logger.Error("disklayer: no message can be kept", "dir", s.cfg.dir, "err", why)
		}
	}
}
