//go:build unix

package disklayer

import (
	"errors"
	"syscall"
)

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// isBroken reports whether a disk fails.
func isBroken(err error) bool { return errors.Is(err, syscall.EIO) }
