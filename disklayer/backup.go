package disklayer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
)

// Backup copies what is kept, at a moment during the call, to a directory that is
// empty or missing, while the layer is in use. The copy shares no file with the layer.
// It is opened and read through before Backup returns nil. progress, unless it is nil,
// is called now and then with the share that is done, 0 to 1.
//
// When ctx ends Backup gives up after the write in hand. It also gives up when the
// store fails or the layer is closed while it copies, and delays neither. Only one
// backup runs at a time; another one waits.
//
// A store opened in the copy begins a new epoch: places of messages behind the copy's
// head mean others there. Its named cursors are where they were.
func (l *Layer) Backup(ctx context.Context, dir string, progress func(share float64)) error {
	select {
	case l.copying <- struct{}{}:
		defer func() { <-l.copying }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s, err := l.useFor(ctx, nil)
	if err != nil {
		return err
	}
	to, err := vacant(&l.cfg, dir)
	if err != nil {
		return err
	}
	c := copier{s: s, dir: to, fs: newGuardFS(l.cfg.fs, to.file(dbDir)), progress: progress}
	if err := c.run(ctx); err != nil {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, l.cfg.fs.RemoveAll(to.file(dbDir)))
		}
		return errors.Join(to.cannot("be written", err), l.cfg.fs.RemoveAll(to.file(dbDir)))
	}
	return nil
}

// vacant makes the directory of a backup. Nothing is in it, and it is not within the
// data directory, nor that within it.
func vacant(cfg *config, dir string) (*directory, error) {
	switch {
	case isWithin(dir, cfg.dir):
		return nil, fmt.Errorf("disklayer: %s is in the data directory", dir)
	case isWithin(cfg.dir, dir):
		return nil, fmt.Errorf("disklayer: %s holds the data directory", dir)
	}
	to := &directory{fs: cfg.fs, path: dir}
	if err := to.make(); err != nil {
		return nil, err
	}
	names, err := to.fs.List(dir)
	if err != nil {
		return nil, to.cannot("be read", err)
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("disklayer: %s is not empty", dir)
	}
	return to, nil
}

// copier makes one copy of a store:
//
//  1. A snapshot fixes the moment.
//  2. All pairs of it are written to a database of the copy's own, a chunk at a time.
//     The store is in use only while a chunk is read.
//  3. The copy is opened and read through.
//  4. VERSION is written: without, nothing opens the copy.
type copier struct {
	s        *store
	dir      *directory
	fs       *guardFS // of the copy
	db       *pebble.DB
	progress func(share float64)
	all      uint64 // bytes on the disk, about
	done     uint64 // of these
	wrote    contents
}

// contents sums up what a database holds.
type contents struct {
	pairs uint64
	sum   maphash.Hash
}

func (c *contents) add(key, value []byte) {
	var sizes [2 * binary.MaxVarintLen64]byte
	c.pairs++
	_, _ = c.sum.Write(binary.AppendUvarint(binary.AppendUvarint(sizes[:0], uint64(len(key))), uint64(len(value)))) // does not fail
	_, _ = c.sum.Write(key)
	_, _ = c.sum.Write(value)
}

// chunkBytes is how much of the store is read at once for a copy.
const chunkBytes = 1 << 20

func (c *copier) run(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("copying: panic: %v", r)
		}
	}()
	defer context.AfterFunc(ctx, func() { c.fs.fail(ctx.Err()) })()
	if c.s.unwritable == nil {
		if err := c.s.flushCursors(); err != nil {
			return err
		}
	}
	if err := c.s.beginCopy(); err != nil {
		return err
	}
	defer c.s.endCopy()
	if err := c.dir.fs.MkdirAll(c.dir.file(dbDir), 0o700); err != nil {
		return err
	}
	if err := c.write(ctx); err != nil {
		return err
	}
	if err := c.check(ctx); err != nil {
		return err
	}
	return c.dir.mark(copyLine)
}

// beginCopy takes the snapshot of a backup.
func (s *store) beginCopy() error {
	if err := s.enter(); err != nil {
		return err
	}
	s.copied = s.db.NewSnapshot()
	return s.leave(nil)
}

// endCopy closes the snapshot, unless discard did.
func (s *store) endCopy() {
	if s.enter() != nil {
		return
	}
	_ = s.copied.Close() // does not fail
	s.copied = nil
	_ = s.leave(nil) // nothing was read
}

// write writes the copy's database.
func (c *copier) write(ctx context.Context) (err error) {
	if c.db, err = pebble.Open(c.fs.dir, c.options()); err != nil {
		return errors.Join(c.fs.err(), err)
	}
	defer func() {
		err = errors.Join(err, c.db.Close())
		if failed := c.fs.err(); failed != nil {
			err = failed
		}
	}()
	for next := []byte{keyLog}; next != nil; {
		if err := errors.Join(ctx.Err(), c.fs.err()); err != nil {
			return err
		}
		b := c.db.NewBatch()
		if next, err = c.read(b, next); err != nil {
			return err
		}
		if err := errors.Join(c.db.Apply(b, pebble.NoSync), b.Close()); err != nil {
			return err
		}
		c.tell(float64(c.done) / float64(c.all) / 2)
	}
	return c.db.Flush()
}

// read adds the pairs from a key on to a batch, some of them. It returns where to go
// on, nil at the end.
func (c *copier) read(b *pebble.Batch, from []byte) (next []byte, err error) {
	if err := c.s.enter(); err != nil {
		return nil, err
	}
	defer func() { err = c.s.leave(err) }()
	return c.readEntered(b, from)
}

func (c *copier) readEntered(b *pebble.Batch, from []byte) (next []byte, err error) {
	it, err := c.s.copied.NewIter(&pebble.IterOptions{LowerBound: from})
	if err != nil {
		return nil, err
	}
	for it.First(); it.Valid() && b.Len() < chunkBytes; it.Next() {
		c.wrote.add(it.Key(), it.Value())
		if err = b.Set(it.Key(), it.Value(), nil); err != nil {
			break
		}
	}
	if it.Valid() {
		next = append(next, it.Key()...)
	}
	if err = errors.Join(err, it.Close()); err == nil && c.progress != nil {
		err = c.measureEntered(from, next)
	}
	return next, err
}

// measureEntered notes how far the copy is. Called, as is readEntered, with the store
// entered.
func (c *copier) measureEntered(from, next []byte) (err error) {
	end := []byte{keyMeta + 1}
	if c.all == 0 {
		if c.all, err = c.s.db.EstimateDiskUsage(from, end); err != nil {
			return err
		}
		c.all = max(c.all, 1)
	}
	if next == nil {
		c.done = c.all
		return nil
	}
	part, err := c.s.db.EstimateDiskUsage(from, next)
	c.done = min(c.done+part, c.all)
	return err
}

// check opens the copy and reads it through.
func (c *copier) check(ctx context.Context) (err error) {
	o := c.options()
	o.ReadOnly, o.ErrorIfNotExists = true, true
	if c.db, err = pebble.Open(c.fs.dir, o); err != nil {
		return fmt.Errorf("opening the copy: %w", err)
	}
	defer func() { err = errors.Join(err, c.db.Close()) }()
	it, err := c.db.NewIter(nil)
	if err != nil {
		return err
	}
	var found contents
	found.sum.SetSeed(c.wrote.sum.Seed())
	for it.First(); it.Valid() && ctx.Err() == nil; it.Next() {
		found.add(it.Key(), it.Value())
		if found.pairs%1024 == 0 {
			c.tell(0.5 + float64(found.pairs)/float64(c.wrote.pairs)/2)
		}
	}
	if err := errors.Join(it.Close(), ctx.Err()); err != nil {
		return err
	}
	if found.pairs != c.wrote.pairs || found.sum.Sum64() != c.wrote.sum.Sum64() {
		return fmt.Errorf("the copy holds %d records that differ from the %d written to it", found.pairs, c.wrote.pairs)
	}
	c.tell(1)
	return nil
}

func (c *copier) tell(share float64) {
	if c.progress != nil {
		c.progress(share)
	}
}

// options are those of the copy's database while it is written and checked. Pairs
// come in order, so there is little for it to do.
func (c *copier) options() *pebble.Options {
	const memTable = 8 << 20
	o := &pebble.Options{
		FS:                 c.fs,
		Logger:             pebbleLog{c.s.cfg.Logger, c.fs},
		CacheSize:          3 * memTable,
		MemTableSize:       memTable,
		DisableWAL:         true, // all is flushed at the end
		FormatMajorVersion: c.s.db.FormatMajorVersion(),
	}
	addFilters(o)
	return o
}

// isWithin reports whether a path is a directory or below it, also by way of symbolic
// links.
func isWithin(path, dir string) bool {
	path, dir = resolved(path), resolved(dir)
	if inside, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(inside) {
		return true
	}
	wanted, err := os.Stat(dir)
	if err != nil {
		return false // of an in-memory file system
	}
	for at := path; ; at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil && os.SameFile(info, wanted) {
			return true
		}
		if at == filepath.Dir(at) {
			return false
		}
	}
}

// resolved returns an absolute path without symbolic links, as far as it exists.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for at, rest := path, ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, rest)
		}
		if at == filepath.Dir(at) {
			return path
		}
	}
}
