// Package crash kills a server of kept messages with SIGKILL while many send and
// receive, starts it again, and at times puts a backup in its place. What senders
// and receivers saw is a history, to be checked by package history.
package crash

import (
	"fmt"
	"time"

	"github.com/parley-rt/parley/internal/crash/history"
)

// Config says how a run goes. All fields but Env, Process and Log are needed.
type Config struct {
	Server  string   // the binary of package server
	Env     []string // added to its environment
	Process bool     // messages need not survive the machine
	Dir     string   // where the data, backups and the server's log go; it must exist

	Seed     uint64 // of all that is decided by chance
	Kills    int
	Restores int // how many of the kills are followed by the return of a backup

	Senders   int
	Receivers int
	Storm     bool          // each user has two devices, with all kinds of consumers and policies, and some messages are large
	Patience  time.Duration // how long all receivers may take at the end

	Log func(format string, args ...any)
}

// Repeats counts what devices got that the server follows by what they acknowledge.
type Repeats struct{ Again, All int }

// String says which share of it they had got before.
func (r Repeats) String() string {
	return fmt.Sprintf("%d of %d deliveries to devices repeated, %.1f %%", r.Again, r.All, 100*float64(r.Again)/float64(max(1, r.All)))
}

// Report is what came of a run.
type Report struct {
	History history.History

	Kills, Restores int
	Accepted        int64 // times that a sender was told so
	Delivered       int64
	Repeats         Repeats
	Connections     int64    // that clients opened
	Retries         int64    // sends again under the same key
	Unfinished      []string // receivers that did not get all in time, and how it went
}
