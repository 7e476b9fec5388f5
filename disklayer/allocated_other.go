//go:build !unix

package disklayer

import "os"

// allocated returns what a file takes on the disk.
func allocated(info os.FileInfo) int64 { return roundedUp(info) }
