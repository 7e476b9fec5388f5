//go:build !fault

// Package fault breaks a build on purpose, so that the harnesses which are to
// find such faults can be seen to. With the build tag fault, the one that
// PARLEY_FAULT names is on; without, all of them are constantly off.
package fault

// AcceptBeforeSync accepts messages before they are synced.
func AcceptBeforeSync() bool { return false }

// ReadPastSynced reads messages that are not synced yet.
func ReadPastSynced() bool { return false }

// DedupOff keeps a repeated message again.
func DedupOff() bool { return false }

// EpochIgnored takes a cursor of another epoch for one of this.
func EpochIgnored() bool { return false }

// ResumeOffByOne resumes one message too late.
func ResumeOffByOne() bool { return false }

// ClockTrusted tells age by the wall clock.
func ClockTrusted() bool { return false }
