//go:build fault

package fault

import "os"

var on = os.Getenv("PARLEY_FAULT")

// AcceptBeforeSync accepts messages before they are synced.
func AcceptBeforeSync() bool { return on == "accept-before-sync" }

// ReadPastSynced reads messages that are not synced yet.
func ReadPastSynced() bool { return on == "read-past-synced" }

// DedupOff keeps a repeated message again.
func DedupOff() bool { return on == "dedup-off" }

// EpochIgnored takes a cursor of another epoch for one of this.
func EpochIgnored() bool { return on == "epoch-ignored" }

// ResumeOffByOne resumes one message too late.
func ResumeOffByOne() bool { return on == "resume-off-by-one" }

// ClockTrusted tells age by the wall clock.
func ClockTrusted() bool { return on == "clock-trusted" }
