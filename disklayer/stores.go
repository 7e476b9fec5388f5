package disklayer

import (
	"context"
	"errors"
	"time"

	"github.com/parley-rt/parley"
)

// One store follows another while a layer is open:
//
//	writing  all works; until a change of a file fails, then none
//	none     it is given up; calls that only read wait for what follows, reading or writing
//	reading  nothing can be kept, and all of what was accepted can be read; after a pause
//	         it is tried whether the directory can be written, if so none, and then writing
//
// Where the directory cannot be read either there is no store, and nobody waits: all
// calls fail until one of the next attempts works. A layer whose options say ReadOnly
// makes none at writing.

// openStore opens the database for writing, or where that fails for reading. It
// returns nil where neither works, and why nothing can be kept.
func (l *Layer) openStore() (*store, error) {
	if l.cfg.ReadOnly {
		s, err := l.openReading(errReadOnly)
		if err != nil {
			return nil, err
		}
		return s, errReadOnly
	}
	s, why := l.openWriting()
	if why == nil {
		return s, nil
	}
	s, err := l.openReading(why)
	if err != nil {
		return nil, why // which is the first thing to be mended
	}
	return s, why
}

// openWriting opens the database for writing.
func (l *Layer) openWriting() (*store, error) {
	if err := l.dir.own(); err != nil {
		return nil, err
	}
	how := l.how
	how.create = l.dir.state == newLine
	how.limits, how.floor = nil, nil // opening for writing makes safe what it finds
	s, err := newStore(&l.cfg, l.dir, &l.hubs, how)
	if err != nil {
		return nil, err
	}
	if l.dir.state != "" {
		if err := l.dir.mark(""); err != nil {
			return nil, errors.Join(err, s.stop(parley.ErrClosed))
		}
	}
	l.how = opening{again: true}
	return s, nil
}

// openReading opens the database for reading alone, as why says.
func (l *Layer) openReading(why error) (*store, error) {
	if err := l.dir.same(); err != nil {
		return nil, err
	}
	how := l.how
	how.unwritable, how.foreign = why, l.last == nil
	s, err := newStore(&l.cfg, l.dir, &l.hubs, how)
	if err != nil {
		return nil, err
	}
	l.how.epoch = s.epoch // it may be new, and known to clients by now
	return s, nil
}

// watch has one store follow another until the layer is closed.
func (l *Layer) watch(s *store) {
	defer close(l.ended)
	tick := time.NewTicker(l.cfg.tick)
	defer tick.Stop()
	wait := l.cfg.reopen
	retry := l.pause(s, wait)
	for {
		select {
		case <-l.closing:
			if s != nil {
				l.err = s.stop(parley.ErrClosed)
			}
			return
		case <-s.ends():
			wait = l.cfg.reopen
			s = l.replace(s, s.fs.err())
			retry = l.pause(s, wait)
		case <-tick.C:
			l.look(s)
		case <-retry:
			wait = min(2*wait, max(reopenMax, l.cfg.reopen))
			s = l.again(s)
			retry = l.pause(s, wait)
		}
	}
}

// look ends the use of a directory that was taken away. Accepting notices before it
// believes a sync; this is for a store that nobody writes to, and for the other files.
func (l *Layer) look(s *store) {
	if s == nil {
		return
	}
	check := l.dir.intact
	if s.unwritable != nil { // what is missing ends only writing
		check = l.dir.same
	}
	if err := check(); err != nil {
		s.fs.fail(err)
	}
}

// ends returns a channel that is closed when the store fails; nil of no store.
func (s *store) ends() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.fs.failed
}

// pause returns a channel for the next attempt, nil where none is needed.
func (l *Layer) pause(s *store, wait time.Duration) <-chan time.Time {
	if s != nil && (s.unwritable == nil || l.cfg.ReadOnly) {
		return nil
	}
	return time.After(wait)
}

// replace gives up a store that failed, and opens the database for reading.
func (l *Layer) replace(s *store, why error) *store {
	l.cfg.Logger.Error("disklayer: the store failed, and is opened anew", "dir", l.cfg.dir, "err", why)
	l.giveUp(s, why)
	next, err := l.openReading(why)
	if err != nil {
		l.cfg.Logger.Error("disklayer: messages cannot be read", "dir", l.cfg.dir, "err", err)
		l.install(nil, why)
		return nil
	}
	l.install(next, why)
	return next
}

// again tries to open the database for writing, where there is none or one for
// reading.
func (l *Layer) again(s *store) *store {
	if s != nil {
		if why := l.dir.writable(); why != nil {
			l.mu.Lock()
			l.why = why
			l.mu.Unlock()
			return s
		}
		l.giveUp(s, s.unwritable)
	}
	next, why := l.openStore()
	l.install(next, why)
	if next != nil && why == nil {
		l.cfg.Logger.Info("disklayer: the store is open again", "dir", l.cfg.dir)
		for _, h := range l.hubs.list() {
			h.local.Reread()
		}
	}
	return next
}

// giveUp ends a store. What it knows beyond what is on the disk, the next one learns.
func (l *Layer) giveUp(s *store, why error) {
	l.mu.Lock()
	l.changeLocked(nil, why)
	l.between = true
	l.mu.Unlock()
	s.fs.settle()
	_ = s.stop(unavailable("messages cannot be kept now", why)) // it failed, or wrote nothing
	l.how.after(s)
}

// install has a store used from now on, nil for none.
func (l *Layer) install(s *store, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changeLocked(s, why)
	l.between = false
	if s == nil {
		return
	}
	if l.last != nil {
		s.cursors.take(&l.last.cursors)
		wakeUp(s.keeper.moved)
	}
	l.last = s
}

func (l *Layer) changeLocked(s *store, why error) {
	l.store, l.why = s, why
	close(l.changed)
	l.changed = make(chan struct{})
}

// use returns the store, where messages can be kept.
func (l *Layer) use() (*store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, parley.ErrClosed
	case l.why != nil:
		return nil, unavailable("messages cannot be kept now", l.why)
	}
	return l.store, nil
}

// useFor returns a store to read, another one than before. It waits while it is not
// known which one, until ctx ends.
func (l *Layer) useFor(ctx context.Context, before *store) (*store, error) {
	for {
		s, changed, err := l.current()
		if err != nil || s != nil && s != before {
			return s, err
		}
		select {
		case <-changed:
		case <-l.closing:
		case <-ctx.Done():
			return nil, unavailable("messages cannot be read now", ctx.Err())
		}
	}
}

// current returns the store, nil while it is not known which one follows, and a
// channel that is closed once there is another.
func (l *Layer) current() (s *store, changed <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, nil, parley.ErrClosed
	case l.store == nil && !l.between:
		return nil, nil, unavailable("messages cannot be read now", l.why)
	}
	return l.store, l.changed, nil
}

// newest returns the newest store, which may have failed; nil once the layer is closed.
func (l *Layer) newest() *store {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	return l.last
}

func (l *Layer) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}
