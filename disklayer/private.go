package disklayer

import (
	"errors"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// privateFS makes files of a disk that this user alone may read, whatever the umask.
type privateFS struct{ vfs.FS }

func (fs privateFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (fs privateFS) Unwrap() vfs.FS { return fs.FS }
