//go:build unix

package disklayer

import (
	"os"
	"syscall"
)

// allocated returns what a file takes on the disk.
func allocated(info os.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512
	}
	return roundedUp(info)
}
