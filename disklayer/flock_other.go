//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package disklayer

import "os"

// lockDirectory reports true: here a directory is locked by its file LOCK alone.
func lockDirectory(*os.File) bool { return true }
