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
	lock  io.Closer
	state string // copyLine, newLine, or nothing
}

// openDirectory locks a data directory, and makes it where there is none.
func openDirectory(fs vfs.FS, path string) (*directory, error) {
	d := &directory{fs: fs, path: path}
	if err := d.make(); err != nil {
		return nil, err
	}
	names, err := d.list()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, versionFile) && len(names) > 0 {
		return nil, fmt.Errorf("disklayer: %s is not empty, and holds no data of Parley (%s, …)", path, names[0])
	}
	if d.lock, err = fs.Lock(d.file(lockFile)); err != nil {
		if _, failed := errors.AsType[*iofs.PathError](err); failed || isReadOnly(err) || isDiskFull(err) {
			return nil, d.cannot("be locked", err)
		}
		return nil, fmt.Errorf("disklayer: %s is in use by another process (%w)", path, err)
	}
	if err = d.check(len(names) == 0); err == nil {
		if err = fs.MkdirAll(d.file(dbDir), 0o700); err == nil {
			return d, nil
		}
		err = d.cannot("be written", err)
	}
	return nil, errors.Join(err, d.lock.Close())
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
		return name == lockFile || name == versionFile+".tmp" || name == "lost+found"
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

func (d *directory) close() error { return d.lock.Close() }

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
