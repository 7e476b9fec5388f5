//go:build !linux

package server

// machineMemory returns 0: it is unknown.
func machineMemory() uint64 { return 0 }
