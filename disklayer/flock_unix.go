//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package disklayer

import (
	"errors"
	"os"
	"syscall"
)

// lockDirectory locks a directory by its descriptor, where its file system can: unlike
// the file LOCK, that lock cannot be removed. It reports false where another one has it.
func lockDirectory(f *os.File) bool {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return !errors.Is(err, syscall.EWOULDBLOCK)
}
