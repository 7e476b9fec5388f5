//go:build !unix

package server

import "math"

// openFileLimit returns how many files this process may have open: here, there
// is no limit to ask for.
func openFileLimit() uint64 { return math.MaxUint64 }
