//go:build unix

package server

import (
	"math"
	"syscall"
)

// openFileLimit returns how many files this process may have open.
func openFileLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxUint64
	}
	return uint64(limit.Cur)
}
