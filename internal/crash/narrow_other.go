//go:build !unix

package crash

import "syscall"

func narrow(string, string, syscall.RawConn) error { return nil }
