package disklayer

import (
	"errors"
	"fmt"
	"sync"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/clock"
)

// Layer keeps messages in a directory. Make one with [Open], and close it after
// the hubs that use it. Its methods are safe for concurrent use.
type Layer struct {
	cfg  config
	dir  *directory
	hubs hubs
	how  opening // how the next store is opened; of open, then of watch

	mu      sync.Mutex    // guards what follows
	store   *store        // nil while there is none that can be used
	last    *store        // the newest one, which may have failed
	why     error         // why nothing can be kept, nil while it can
	between bool          // it is not known what follows the store that was given up
	changed chan struct{} // closed when there is another store, or none
	closing chan struct{}
	closed  bool
	ended   chan struct{} // closed once no store is open any more
	err     error         // of closing the last one

	once    sync.Once     // of Close
	copying chan struct{} // holds one during a backup: two could go to one directory
}

var _ parley.Layer = (*Layer)(nil)

// Open opens the directory, and makes it where there is none; nil options are the
// defaults. Only one Layer may have a directory at a time, in any process. What is
// wrong with a directory, the error says with its name.
//
// A directory that can be read and not written, as its disk is full, read-only or
// failing, is opened for reading, until it can be written: see the package's
// documentation.
func Open(dir string, options *Options) (*Layer, error) {
	return open(newConfig(dir, options))
}

func open(cfg config) (*Layer, error) {
	cfg.clock = clock.New(cfg.read, cfg.confirm)
	l := &Layer{
		cfg: cfg, changed: make(chan struct{}), closing: make(chan struct{}), ended: make(chan struct{}), copying: make(chan struct{}, 1),
	}
	var err error
	if l.dir, err = openDirectory(cfg.fs, cfg.dir, cfg.ReadOnly); err != nil {
		return nil, err
	}
	l.how = opening{fresh: l.dir.state == copyLine}
	s, why := l.openStore()
	if s == nil {
		return nil, errors.Join(cannot(cfg.dir, "be opened", why), l.dir.close())
	}
	if why != nil && !cfg.ReadOnly {
		cfg.Logger.Error("disklayer: messages can be read, and none can be kept", "dir", cfg.dir, "err", why)
	}
	l.install(s, why)
	go l.watch(s)
	return l, nil
}

// Health returns nil while messages can be kept, or why they cannot.
func (l *Layer) Health() error {
	s, err := l.use()
	if err == nil {
		err = s.health()
	}
	if err == nil || errors.Is(err, parley.ErrClosed) {
		return err
	}
	return fmt.Errorf("disklayer: %w", err)
}

// Close waits until what was appended is safe, closes the store, and frees the
// directory. It may be called more than once.
func (l *Layer) Close() error {
	l.once.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		close(l.closing)
		<-l.ended
		l.err = errors.Join(l.err, l.dir.close())
	})
	return l.err
}
