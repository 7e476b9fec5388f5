package disklayer

import (
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley/internal/clock"
)

// Durability says what accepted messages survive.
type Durability uint8

const (
	// Machine is the machine's sudden end: messages are synced to the disk before
	// they are accepted.
	Machine Durability = iota
	// Process is the end of this process only: messages are written to the
	// operating system before they are accepted. A store that was not closed
	// begins a new epoch after the machine was started anew; where a system does
	// not tell (Linux does), always. A directory that Machine was used with stays
	// one whose messages are synced.
	Process
)

// String returns "machine" or "process".
func (d Durability) String() string {
	if d == Process {
		return "process"
	}
	return "machine"
}

// Options configure a [Layer]. The zero value means the defaults.
type Options struct {
	Durability  Durability    // what accepted messages survive; default: the machine's end
	MaxBytes    int64         // of the directory as du sees it, a quarter of it to work in (half below 64 MiB, 512 MiB at most); beyond, nothing is accepted; default 8 GiB, and never more than 80 % of the disk
	TailBytes   int64         // of memory for the newest messages and the bookkeeping of logs in use; default 64 MiB
	CacheBytes  int64         // of memory for what is read from the disk; default 32 MiB
	DedupWindow time.Duration // how long keys are remembered, at least; default, and not less, 24 hours
	Logger      *slog.Logger  // default slog.Default()

	// ReadOnly is for programs that only read: nothing can be kept, and nothing in the
	// directory is changed. Its file LOCK is locked where there is one and the file
	// system allows that. Cursors that are moved are forgotten with the layer.
	ReadOnly bool
}

// config is Options with the defaults in place, and what only tests change.
type config struct {
	Options
	dir  string
	fs   vfs.FS
	boot string                   // which start of the machine this is, "" where it is not known
	read func() (wall, ran int64) // the machine's clocks; see [clock.New]

	tick       time.Duration // how often space is measured
	saveEvery  time.Duration // how often cursors are written, at most
	sweepEvery time.Duration // from the end of one sweep to the next
	sweepPause time.Duration // between two chunks of a sweep, at least; as long as a chunk took, if that is more
	reopen     time.Duration // the first wait before opening again; doubles up to reopenMax
	confirm    time.Duration // how long the wall clock must be ahead to be followed
	plain      bool          // tables are not compressed
	memTable   uint64        // bounds what a write-ahead log holds, and so, with memTables, what is replayed when opening

	clock *clock.Clock // tells age; of open
}

const (
	reopenMax      = 5 * time.Second
	minDedupWindow = 24 * time.Hour
	maxDefault     = 8 << 30
)

func newConfig(dir string, options *Options) config {
	c := config{
		dir: dir, fs: privateFS{vfs.Default}, boot: bootID(), read: clock.System, confirm: clock.Confirm,
		tick: time.Second, saveEvery: 20 * time.Millisecond, sweepEvery: 10 * time.Minute, sweepPause: 20 * time.Millisecond, reopen: 100 * time.Millisecond, memTable: 16 << 20,
	}
	if options != nil {
		c.Options = *options
	}
	if c.TailBytes <= 0 {
		c.TailBytes = 64 << 20
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = 32 << 20
	}
	c.DedupWindow = max(c.DedupWindow, minDedupWindow)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}
