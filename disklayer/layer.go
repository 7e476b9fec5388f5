package disklayer

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/parley-rt/parley"
)

// Layer keeps messages in a directory. Make one with [Open], and close it after
// the hubs that use it. Its methods are safe for concurrent use.
type Layer struct {
	cfg  config
	dir  *directory
	hubs hubs

	mu      sync.Mutex // guards what follows
	store   *store     // nil while there is none that can be used
	why     error      // why not
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
func Open(dir string, options *Options) (*Layer, error) {
	return open(newConfig(dir, options))
}

func open(cfg config) (*Layer, error) {
	l := &Layer{cfg: cfg, closing: make(chan struct{}), ended: make(chan struct{}), copying: make(chan struct{}, 1)}
	var err error
	if l.dir, err = openDirectory(cfg.fs, cfg.dir); err != nil {
		return nil, err
	}
	if l.store, err = newStore(&l.cfg, &l.hubs, opening{fresh: l.dir.state == copyLine}); err == nil && l.dir.state != "" {
		if err = l.dir.mark(""); err != nil {
			err = errors.Join(err, l.store.stop(parley.ErrClosed))
		}
	}
	if err != nil {
		return nil, errors.Join(cannot(cfg.dir, "be opened", err), l.dir.close())
	}
	go l.watch(l.store)
	return l, nil
}

// watch replaces a store that failed, until the layer is closed.
func (l *Layer) watch(s *store) {
	defer close(l.ended)
	for {
		select {
		case <-s.fs.failed:
			l.failed(s)
			if s = l.reopen(); s != nil {
				continue
			}
		case <-l.closing:
			l.end(s)
		}
		return
	}
}

// failed gives up a store.
func (l *Layer) failed(s *store) {
	err := s.fs.err()
	l.cfg.Logger.Error("disklayer: the store failed, and is opened anew", "dir", l.cfg.dir, "err", err)
	l.mu.Lock()
	l.store, l.why = nil, err
	l.mu.Unlock()
	s.fs.settle()
	_ = s.stop(unavailable("messages cannot be kept now", err)) // it failed
}

// reopen opens the store again, with pauses, and returns nil once the layer is
// closed.
func (l *Layer) reopen() *store {
	for wait := l.cfg.reopen; ; wait = min(2*wait, max(reopenMax, l.cfg.reopen)) {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-l.closing:
			t.Stop()
			return nil
		}
		s, err := newStore(&l.cfg, &l.hubs, opening{again: true})
		if err == nil {
			l.cfg.Logger.Info("disklayer: the store is open again", "dir", l.cfg.dir)
			l.mu.Lock()
			l.store, l.why = s, nil
			l.mu.Unlock()
			for _, h := range l.hubs.list() {
				h.local.Reread()
			}
			return s
		}
		l.mu.Lock()
		l.why = err
		l.mu.Unlock()
	}
}

// end closes the store of a layer that is closed.
func (l *Layer) end(s *store) {
	l.err = s.stop(parley.ErrClosed)
}

// use returns the store.
func (l *Layer) use() (*store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, parley.ErrClosed
	case l.store == nil:
		return nil, unavailable("messages cannot be kept now", l.why)
	}
	return l.store, nil
}

func (l *Layer) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
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
