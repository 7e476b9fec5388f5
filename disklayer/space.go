package disklayer

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// minReserve is how much of the disk stays free for what the database does on
// its own, on a disk that is not small.
const minReserve = 192 << 20

// measure notes whether there is room for more.
func (s *store) measure() {
	if err := s.enter(); err != nil {
		return
	}
	m := s.db.Metrics()
	used := m.DiskSpaceUsage() - m.WAL.ObsoletePhysicalSize // those logs are written again, and few
	if s.leave(nil) != nil {
		return
	}
	disk, err := s.cfg.fs.GetDiskUsage(s.cfg.dir)
	if err != nil && !errors.Is(err, vfs.ErrUnsupported) {
		s.cfg.Logger.Warn("disklayer: the disk's free space is not known", "dir", s.cfg.dir, "err", err)
	}
	s.setFull(s.cfg.shortage(used, disk, err == nil, s.full.Load() != nil))
	if s.full.Load() != nil && s.trims > 0 {
		s.flushTables() // what was trimmed takes space until tables are written without it
	}
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

// shortage returns why there is no room, or nil. What was full before needs a
// little more to be so no more.
func (c *config) shortage(used uint64, disk vfs.DiskUsage, known, before bool) error {
	limit, reserve := uint64(c.MaxBytes), uint64(0)
	if known {
		if limit == 0 {
			limit = min(maxDefault, disk.TotalBytes/10*8)
		}
		reserve = min(minReserve, disk.TotalBytes/20)
	}
	if limit == 0 {
		limit = maxDefault
	}
	if before {
		limit -= limit / 32
		reserve += reserve / 4
	}
	switch {
	case used > limit:
		return fmt.Errorf("%s holds %d MB, and may hold %d MB", c.dir, used>>20, limit>>20)
	case known && disk.AvailBytes < reserve:
		return fmt.Errorf("the disk of %s has %d MB free, and %d MB are needed", c.dir, disk.AvailBytes>>20, reserve>>20)
	}
	return nil
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
