package disklayer

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// memTables is how many memtables there may be before writing waits.
const memTables = 4

func (s *store) pebbleOptions() *pebble.Options {
	log := pebbleLog{s.cfg.Logger, s.fs}
	o := &pebble.Options{
		FS:                          s.fs,
		Logger:                      log,
		CacheSize:                   s.cfg.CacheBytes + memTables*int64(s.sizes.memTable), // memtables are taken from the cache's share
		MemTableSize:                s.sizes.memTable,
		LBaseMaxBytes:               s.sizes.base,
		MaxManifestFileSize:         s.sizes.base / 4,
		MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:                500,
		CompactionConcurrencyRange:  func() (int, int) { return 1, s.sizes.parallel },
		FormatMajorVersion:          pebble.FormatWALSyncChunks,
		EventListener:               s.events(),
		Cleaner:                     remover{},
	}
	if s.cfg.Durability == Process {
		// A write-ahead log then says of no part that it was synced: after the
		// machine's end, what is damaged is the log's end, not damage.
		o.FormatMajorVersion = pebble.FormatColumnarBlocks
		o.WALBytesPerSync = 512 << 10
	}
	if d, err := pebble.Peek(s.fs.dir, s.fs); err == nil && d.Exists {
		// The format never goes back, so it stays as it was made: Machine, which
		// copies a directory of Process's too, can do with the older one.
		o.FormatMajorVersion = max(d.FormatMajorVersion, pebble.FormatColumnarBlocks)
	}
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = min(s.sizes.table, 2<<20<<i)
	}
	o.Experimental.MultiLevelCompactionHeuristic = pebble.NoMultiLevel{}
	addFilters(o)
	if s.cfg.plain {
		o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	}
	return o
}

// addFilters has tables say which keys they cannot hold.
func addFilters(o *pebble.Options) {
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
}

// remover removes obsolete files, write-ahead logs too. The database reuses logs
// unless its Cleaner is an ArchiveCleaner, whose other methods are hidden here.
type remover struct {
	pebble.DeleteCleaner
	reusesNothing
}

type reusesNothing struct{ pebble.ArchiveCleaner }

// events has the database's own troubles logged, each a few times a minute at
// most, and each damaged file once. Damage does not end the use of the database.
func (s *store) events() *pebble.EventListener {
	var last time.Time
	say := make(chan struct{}, 1) // held while last is used
	return &pebble.EventListener{DataCorruption: s.damagedFile, BackgroundError: func(err error) {
		say <- struct{}{}
		defer func() { <-say }()
		if s.fs.err() != nil || isDamage(err) || time.Since(last) < 15*time.Second {
			return
		}
		last = time.Now()
		s.cfg.Logger.Error("disklayer: the database failed in the background", "dir", s.cfg.dir, "err", err)
	}}
}
