package disklayer

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
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
	if err := d.lockFile(reading); err != nil && !(holds && isUnwritable(err) && (reading || !errors.Is(err, iofs.ErrPermission))) {
		return nil, err
	}
	if err = d.check(!holds); err == nil {
		if d.state != newLine {
			return d, nil
		}
		if err = fs.MkdirAll(d.file(dbDir), 0o700); err == nil {
			return d, nil
		}
		err = d.cannot("be written", err)
	}
	return nil, errors.Join(err, d.close())
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
		return nil
	}
	if _, failed := errors.AsType[*iofs.PathError](err); failed || isReadOnly(err) || isDiskFull(err) {
		return d.cannot("be locked", err)
	}
	return fmt.Errorf("disklayer: %s is in use by another process (%w)", d.path, err)
}

// isUnwritable reports whether an error says that something cannot be written here,
// for a while or for good.
func isUnwritable(err error) bool {
	return isReadOnly(err) || isDiskFull(err) || isBroken(err) || errors.Is(err, iofs.ErrPermission)
}

// same reports whether the directory is still the one that was opened.
func (d *directory) same() error { return nil }

// own makes sure that this process may write to the directory.
func (d *directory) own() error { return d.lockFile(false) }

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
	if err := d.replace(versionFile, formatName+strconv.Itoa(format)+"\n"+state); err != nil {
		return d.cannot("be written", err)
	}
	d.state = state
	return nil
}

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
	if d.lock == nil {
		return nil
	}
	return d.lock.Close()
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
