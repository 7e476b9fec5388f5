package disklayer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
)

// store is one opening of the database, until it is closed or fails. Its
// goroutines: the committer, the finisher, the keeper, and who writes cursors.
type store struct {
	cfg     *config
	hubs    *hubs
	fs      *guardFS
	db      *pebble.DB
	epoch   uint64
	origins []uint64      // epochs of the stores that this one is a copy of
	floor   atomic.Uint64 // places of logs without bookkeeping begin behind it
	clocked atomic.Int64  // when the clock was stored

	logs    logCache
	queue   queue
	flights chan *flight
	free    chan *flight
	keeper  keeper
	trims   int // how many logs were trimmed since tables were written for its sake; the keeper's
	cursors cursors
	sizes   sizes
	damages damages
	disk    atomic.Pointer[space]
	flying  atomic.Int64          // bytes of batches that may not be in a write-ahead log yet
	full    atomic.Pointer[error] // why there is no room; nil while there is

	claimsMu sync.Mutex
	claims   map[digest]*claim // guarded by claimsMu

	unwritable error                   // why it is for reading alone; nil for writing
	limits     map[parley.Address]mark // of a store for reading: what is behind them may not be safe
	unsafe     map[parley.Address]mark // where logs end whose newest messages did not become safe; the finisher's

	using   sync.RWMutex     // read-locked while the database is read
	gone    error            // guarded by using: why it cannot be read any more
	copied  *pebble.Snapshot // guarded by using, and the backup's that runs: what it copies
	keeping sync.WaitGroup   // the keeper, and who writes cursors
	working sync.WaitGroup   // the others
}

// opening says how a database is opened.
type opening struct {
	create     bool  // it is made where there is none
	fresh      bool  // with a new epoch
	again      bool  // by a layer that had it open for writing: the machine was not started anew
	unwritable error // for reading alone, and why; nil for writing
	foreign    bool  // another process wrote it last

	// What a layer knows from the stores before.
	epoch  uint64                  // of a new epoch; 0 where nobody was told one
	limits map[parley.Address]mark // where logs end, of those that may hold more than is safe
	floor  *uint64                 // which is safe; nil for the stored one
}

// after notes what only a store for writing knew, once it has ended.
func (o *opening) after(s *store) {
	if s.unwritable == nil {
		floor := s.floor.Load()
		o.limits, o.floor = s.unsafe, &floor
	}
}

// newStore opens the database.
func newStore(cfg *config, dir *directory, hubs *hubs, how opening) (*store, error) {
	s := &store{
		cfg: cfg, hubs: hubs, fs: newGuardFS(cfg.fs, dir.file(dbDir)), unwritable: how.unwritable, limits: how.limits, unsafe: map[parley.Address]mark{},
		flights: make(chan *flight, flights), free: make(chan *flight, flights), claims: map[digest]*claim{},
	}
	if dir.held != nil {
		s.fs.same = dir.same
	}
	s.logs.init(cfg.TailBytes)
	s.queue.init()
	s.keeper.init()
	s.cursors.init()
	s.sizes = cfg.sizes()
	s.fs.limit = s.sizes.limit
	if err := s.fs.used.begin(cfg.fs, s.fs.dir); err != nil {
		return nil, err
	}
	if how.foreign {
		s.syncLogs()
	}
	if err := s.open(how.create); err != nil {
		return nil, err
	}
	if err := s.begin(how); err != nil {
		_ = s.discard(err) // it failed
		return nil, err
	}
	if s.unwritable != nil {
		return s, nil
	}
	s.sparesSyncs()
	s.measure()
	s.working.Go(s.commitLoop)
	s.working.Go(s.finishLoop)
	s.keeping.Go(s.keepLoop)
	s.keeping.Go(s.saveLoop)
	return s, nil
}

// sparesSyncs has messages accepted without a sync of the disk, where that is asked
// for, from now on: that this run began is synced, or nothing would tell after the
// machine's end that messages are gone. A directory that Machine was used with is
// synced all the same: its write-ahead logs say up to where they were synced, and
// what is missing before is damage.
func (s *store) sparesSyncs() {
	if s.cfg.Durability != Process {
		return
	}
	if s.db.FormatMajorVersion() >= pebble.FormatWALSyncChunks {
		s.cfg.Logger.Warn("disklayer: messages are synced to the disk, as they always were in this directory", "dir", s.cfg.dir)
		return
	}
	s.fs.walNoSync.Store(true)
}

// open opens the database. It returns errors of changing files too.
func (s *store) open(create bool) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("opening the database: panic: %v", r)
		}
	}()
	options := s.pebbleOptions()
	options.ErrorIfNotExists = !create
	options.ReadOnly = s.unwritable != nil
	db, err := pebble.Open(s.fs.dir, options)
	if failed := s.fs.err(); failed != nil {
		err = failed
	}
	if err != nil {
		if db != nil {
			s.db = db
			_ = s.discard(err) // it failed
		}
		if errors.Is(err, pebble.ErrDBDoesNotExist) {
			return errNoDatabase
		}
		if pebble.IsCorruptionError(err) {
			return fmt.Errorf("the data is damaged: %w", err)
		}
		return err
	}
	s.db = db
	return nil
}

// stop ends the store: what was appended is kept first, unless it failed.
func (s *store) stop(why error) error {
	s.keeper.stop()
	s.keeping.Wait() // what it was about to write, it writes
	s.queue.close(why)
	s.working.Wait()
	err := s.end()
	return errors.Join(err, s.discard(why))
}

// discard closes the database once nobody reads it.
func (s *store) discard(why error) (err error) {
	s.using.Lock()
	defer s.using.Unlock()
	s.gone = why
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("closing the database: panic: %v", r)
		}
	}()
	if s.copied != nil {
		_ = s.copied.Close() // does not fail
	}
	err = s.db.Close()
	if failed := s.fs.err(); failed != nil {
		return failed
	}
	return err
}

// over reports whether the store failed, or was closed.
func (s *store) over() bool {
	s.using.RLock()
	defer s.using.RUnlock()
	return s.gone != nil || s.fs.err() != nil
}

// enter begins reading the database; leave ends it.
func (s *store) enter() error {
	s.using.RLock()
	if s.gone != nil {
		defer s.using.RUnlock()
		return s.gone
	}
	return nil
}

// leave returns err, or why what was read cannot be trusted.
func (s *store) leave(err error) error {
	s.using.RUnlock()
	if failed := s.fs.err(); failed != nil {
		err = failed
	}
	if err != nil {
		return unavailable("messages cannot be read now", err)
	}
	return nil
}

// health returns why nothing can be kept.
func (s *store) health() error {
	if err := s.fs.err(); err != nil {
		return err
	}
	if full := s.full.Load(); full != nil {
		return *full
	}
	return nil
}

// append queues an item for the log of its address.
func (s *store) append(ctx context.Context, it item) error {
	if err := s.health(); err != nil {
		return unavailable("messages cannot be kept now", err)
	}
	if it.e.Key != "" {
		it.sum = dataSum(&it.e)
		it.claim = &claim{key: keySum(it.e.To, it.e.Key), sum: it.sum}
	}
	var err error
	if it.log, err = s.log(it.e.To); err != nil {
		return s.damaged(it.e.To, err)
	}
	if err = s.queue.push(ctx, &it); err != nil {
		s.logs.unpin(it.log)
	}
	return err
}

// head returns the place of an address's newest message that is safe.
func (s *store) head(of parley.Address) (parley.Cursor, error) {
	l, err := s.log(of)
	if err != nil {
		return parley.Cursor{}, err
	}
	defer s.logs.unpin(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	return parley.Cursor{Epoch: s.epoch, Seq: s.readable(l).seq}, nil
}

// run has the committer do a job, and waits until it is done.
func (s *store) run(sync bool, change func(*pebble.Batch)) error {
	j := job{run: change, sync: sync, done: make(chan struct{})}
	if !s.queue.add(j) {
		return parley.ErrClosed
	}
	<-j.done
	return s.fs.err()
}

// unavailable returns an error with that code, and why.
func unavailable(text string, why error) error {
	e := &parley.Error{Code: parley.Unavailable, Message: text}
	if why == nil {
		return e
	}
	return fmt.Errorf("%w (%w)", e, why)
}

// pebbleLog is the database's logger.
type pebbleLog struct {
	log *slog.Logger
	fs  *guardFS
}

func (p pebbleLog) Infof(format string, args ...any) { p.log.Debug(fmt.Sprintf(format, args...)) }
func (p pebbleLog) Errorf(format string, args ...any) {
	if p.fs.err() == nil {
		p.log.Error("disklayer: " + fmt.Sprintf(format, args...))
	}
}

// Fatalf ends the use of the files, and returns: the database is not used on.
func (p pebbleLog) Fatalf(format string, args ...any) { p.fs.fail(fmt.Errorf(format, args...)) }
