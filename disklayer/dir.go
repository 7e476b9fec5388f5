package disklayer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// What a data directory holds.
const (
	versionFile = "VERSION"
	lockFile    = "LOCK"
	dbDir       = "db"
	probeFile   = "probe.tmp"

	formatName = "parley data "
	format     = 1
)

// The states of a directory, as the second line of VERSION.
const (
	copyLine = "copy\n" // a backup that was not opened yet
	newLine  = "new\n"  // there was no database yet
)

// directory is a data directory that this process has locked.
type directory struct {
	fs    vfs.FS
	path  string
	lock  io.Closer // nil where it cannot be written
	state string    // copyLine, newLine, or nothing

	// nil where the file system is in memory.
	held, db *heldDir
	locked   os.FileInfo // of LOCK
}

// openDirectory locks a data directory, and makes it where there is none. Only for
// reading, or where it cannot be written, one with data is opened all the same.
func openDirectory(fs vfs.FS, path string, reading bool) (*directory, error) {
	d := &directory{fs: fs, path: path}
	if !reading {
		if err := d.make(); err != nil {
			return nil, err
		}
	}
	names, err := d.list()
	if err != nil {
		return nil, err
	}
	holds := slices.Contains(names, versionFile)
	switch {
	case !holds && len(names) > 0:
		return nil, fmt.Errorf("disklayer: %s is not empty, and holds no data of Parley (%s, …)", path, names[0])
	case !holds && reading:
		return nil, fmt.Errorf("disklayer: %s is empty: there is nothing to read", path)
	}
	if err := d.hold(); err != nil {
		return nil, err
	}
	if err := d.lockFile(reading); err != nil && !(holds && isUnwritable(err) && (reading || !errors.Is(err, iofs.ErrPermission))) {
		return nil, errors.Join(err, d.close())
	}
	if err = d.check(!holds); err == nil {
		err = d.openDatabase()
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// hold holds the directory by its descriptor, and locks that.
func (d *directory) hold() (err error) {
	if vfs.Root(d.fs) != vfs.Default {
		return nil
	}
	if d.held, err = hold(d.path); err != nil {
		return d.cannot("be opened", err)
	}
	if !lockDirectory(d.held.file) {
		return errors.Join(d.inUse("it is locked"), d.held.close())
	}
	return nil
}

// openDatabase holds the database's directory, which it makes in a new one.
func (d *directory) openDatabase() (err error) {
	if d.state == newLine {
		if err := d.fs.MkdirAll(d.file(dbDir), 0o700); err != nil {
			return d.cannot("be written", err)
		}
	}
	if d.held == nil {
		return nil
	}
	if d.db, err = hold(d.file(dbDir)); errors.Is(err, iofs.ErrNotExist) {
		err = errNoDatabase
	}
	if err != nil {
		return d.cannot("be opened", err)
	}
	return nil
}

func (d *directory) inUse(why string) error {
	return fmt.Errorf("disklayer: %s is in use by another process (%s)", d.path, why)
}

// lockFile locks LOCK, unless it is. Only for reading it is not made.
func (d *directory) lockFile(reading bool) (err error) {
	if d.lock != nil {
		return nil
	}
	if reading {
		if _, err := d.fs.Stat(d.file(lockFile)); err != nil {
			return nil
		}
	}
	lock, err := d.fs.Lock(d.file(lockFile))
	if err == nil {
		d.lock = lock
		if d.held != nil {
			d.locked, err = os.Stat(d.file(lockFile))
		}
		return err
	}
	if _, failed := errors.AsType[*iofs.PathError](err); failed || isReadOnly(err) || isDiskFull(err) {
		return d.cannot("be locked", err)
	}
	return d.inUse(err.Error())
}

// isUnwritable reports whether an error says that something cannot be written here,
// for a while or for good.
func isUnwritable(err error) bool {
	return isReadOnly(err) || isDiskFull(err) || isBroken(err) || errors.Is(err, iofs.ErrPermission)
}

// same returns nil while the directory, and the database's in it, are those that were
// opened: paths lead there.
func (d *directory) same() error {
	if err := d.held.same(); err != nil {
		return err
	}
	return d.db.same()
}

// intact returns nil while the directory is as it was left. What it finds besides same
// harms no message, and so need not be found at once.
func (d *directory) intact() error {
	return cmp.Or(d.same(), d.sameVersion(), d.sameLock())
}

func (d *directory) sameVersion() error {
	text, err := d.read()
	if err == nil && text != d.version() {
		err = errors.New("it was changed while it was in use")
	}
	if err != nil {
		return fmt.Errorf("%s: %w: bring it back, or start again", d.file(versionFile), err)
	}
	return nil
}

func (d *directory) sameLock() error {
	if d.locked == nil {
		return nil
	}
	if now, err := os.Stat(d.file(lockFile)); err != nil || !os.SameFile(now, d.locked) {
		return fmt.Errorf("%s was removed or replaced while it was in use", d.file(lockFile))
	}
	return nil
}

// own makes sure that this process may write to the directory. A file LOCK that was
// removed is made and locked again.
func (d *directory) own() error {
	if err := cmp.Or(d.same(), d.sameVersion()); err != nil {
		return err
	}
	if d.sameLock() != nil {
		_ = d.lock.Close() // nobody else can lock that one
		d.lock, d.locked = nil, nil
	}
	return d.lockFile(false)
}

// writable tries whether a database can be opened for writing: a file as large as what
// that writes at once can be made.
func (d *directory) writable() error {
	name := d.file(probeFile)
	f, err := d.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return d.cannot("be written", err)
	}
	if err = f.Preallocate(0, d.logBytes()+probeBytes); !isDiskFull(err) { // not every file system can
		_, err = f.Write(make([]byte, probeBytes))
	}
	if err = errors.Join(err, f.Sync(), f.Close(), d.fs.Remove(name)); err != nil {
		return d.cannot("be written", err)
	}
	return nil
}

// probeBytes is what opening a database writes besides what its write-ahead logs hold.
const probeBytes = 64 << 10

// logBytes returns how large the write-ahead logs are.
func (d *directory) logBytes() (n int64) {
	names, _ := d.fs.List(d.file(dbDir)) // where that fails, opening tells
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		if info, failed := d.fs.Stat(d.fs.PathJoin(d.file(dbDir), name)); failed == nil {
			n += info.Size()
		}
	}
	return n
}

// make makes the directory, and those above it, where there are none, so that they
// stay.
func (d *directory) make() error {
	var above []string // where something is new
	for at := d.path; ; at = d.fs.PathDir(at) {
		if _, err := d.fs.Stat(at); err == nil || at == d.fs.PathDir(at) {
			break
		}
		above = append(above, d.fs.PathDir(at))
	}
	if len(above) == 0 {
		return nil
	}
	if err := d.fs.MkdirAll(d.path, 0o700); err != nil {
		return d.cannot("be made", err)
	}
	for _, path := range above {
		if err := syncDir(d.fs, path); err != nil {
			return d.cannot("be made", err)
		}
	}
	return nil
}

// list returns what the directory holds, but for what says nothing of its use: an
// empty db is there when a first start was interrupted.
func (d *directory) list() ([]string, error) {
	names, err := d.fs.List(d.path)
	if err != nil {
		return nil, d.cannot("be read", err)
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return name == lockFile || name == versionFile+".tmp" || name == probeFile || name == "lost+found"
	})
	if slices.Equal(names, []string{dbDir}) {
		if inside, err := d.fs.List(d.file(dbDir)); err == nil && len(inside) == 0 {
			return nil, nil
		}
	}
	return names, nil
}

// check reads the format's version, or writes it where the directory is new.
func (d *directory) check(empty bool) error {
	if empty {
		return d.mark(newLine)
	}
	text, err := d.read()
	if err != nil {
		return d.cannot("be read", err)
	}
	if d.state, err = parseVersion(text); err != nil {
		return fmt.Errorf("disklayer: %s %w", d.path, err)
	}
	return nil
}

// parseVersion returns the second line of a VERSION, or what is wrong with it. Only
// what Parley writes is right.
func parseVersion(text string) (state string, err error) {
	wrong := func(how string, args ...any) (string, error) {
		return "", fmt.Errorf("is damaged: its file %s should say %q, but %s", versionFile, formatName+strconv.Itoa(format), fmt.Sprintf(how, args...))
	}
	first, rest, ended := strings.Cut(text, "\n")
	number, named := strings.CutPrefix(first, formatName)
	known := strconv.Itoa(format)
	switch {
	case text == "":
		return wrong("it is empty")
	case !named:
		return wrong("it says %.40q", first)
	case !ended:
		return wrong("its first line does not end")
	case strings.Trim(number, "0123456789") != "" || number == "" || number[0] == '0':
		return wrong("%.40q is not a number", number)
	case len(number) > len(known) || len(number) == len(known) && number > known:
		return "", fmt.Errorf("was written by a newer Parley: its data has format %.40s, and this one knows %s", number, known)
	}
	for _, state := range []string{"", copyLine, newLine} {
		if rest == state {
			return state, nil
		}
	}
	return wrong("%.40q follows", rest)
}

func (d *directory) file(name string) string { return d.fs.PathJoin(d.path, name) }

func (d *directory) read() (string, error) {
	f, err := d.fs.Open(d.file(versionFile))
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<10))
	return string(text), err
}

// mark writes the format's version, and the state of the directory.
func (d *directory) mark(state string) error {
	before := d.state
	d.state = state
	if err := d.replace(versionFile, d.version()); err != nil {
		d.state = before
		return d.cannot("be written", err)
	}
	return nil
}

// version returns what VERSION says.
func (d *directory) version() string { return formatName + strconv.Itoa(format) + "\n" + d.state }

// replace writes a file so that it is there whole or not at all.
func (d *directory) replace(name, text string) error {
	temporary := d.file(name + ".tmp")
	f, err := d.fs.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := d.fs.Rename(temporary, d.file(name)); err != nil {
		return err
	}
	return syncDir(d.fs, d.path)
}

// syncDir makes a directory's entries safe.
func syncDir(fs vfs.FS, path string) error {
	f, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *directory) close() error {
	err := errors.Join(d.db.close(), d.held.close())
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

func (d *directory) cannot(what string, err error) error { return cannot(d.path, what, err) }

// cannot returns an error about a directory, with the reasons that people can do
// something about in words.
func cannot(path, what string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, iofs.ErrPermission):
		hint = ": this user may not use it"
	case isReadOnly(err):
		hint = ": its file system is read-only"
	case isDiskFull(err):
		hint = ": its disk is full"
	}
	return fmt.Errorf("disklayer: %s cannot %s%s: %w", path, what, hint, err)
}
