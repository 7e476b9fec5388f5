//go:build !linux

package socket

import "errors"

// heldFor is known on Linux alone.
func heldFor(int) (int, error) { return 0, errors.ErrUnsupported }
