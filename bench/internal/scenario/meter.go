package scenario

import (
	"errors"
	"time"

	"github.com/parley-rt/parley/bench/internal/proc"
	"github.com/parley-rt/parley/bench/internal/result"
)

// The metrics that every timed measurement has beside its own.
const (
	serverBusy = "server_busy" // cores that the server used
	loadBusy   = "load_busy"   // share of the time in which the load generator had something to do
	OthersBusy = "others_busy" // cores that other processes used
)

// meter reads what is used from one moment on.
type meter struct {
	bench              *bench
	start              time.Time
	idle               time.Duration // of the load generator
	server, self, busy time.Duration
}

// usage is what was used between two moments.
type usage struct {
	elapsed, idle, server, self, busy time.Duration
}

func startMeter(b *bench) (meter, error) {
	m := meter{bench: b, start: time.Now(), idle: b.loop.Idle}
	var errs [3]error
	m.server, errs[0] = proc.CPU(b.PID)
	m.self, errs[1] = proc.SelfCPU()
	m.busy, errs[2] = proc.Busy()
	return m, errors.Join(errs[:]...)
}

func (m meter) read() (usage, error) {
	now, err := startMeter(m.bench)
	return usage{
		elapsed: now.start.Sub(m.start),
		idle:    now.idle - m.idle,
		server:  now.server - m.server,
		self:    now.self - m.self,
		busy:    now.busy - m.busy,
	}, err
}

// plus is what was used in both of two stretches.
func (u usage) plus(v usage) usage {
	return usage{
		elapsed: u.elapsed + v.elapsed,
		idle:    u.idle + v.idle,
		server:  u.server + v.server,
		self:    u.self + v.self,
		busy:    u.busy + v.busy,
	}
}

// record puts the shares into values, under their names with a suffix.
func (u usage) record(values map[string]float64, suffix string) {
	values[serverBusy+suffix] = u.cores(u.server)
	values[loadBusy+suffix] = 1 - u.cores(u.idle)
	// The kernel counts the whole in steps of 10 ms, hence the difference can come out a little below zero.
	values[OthersBusy+suffix] = max(0, u.cores(u.busy-u.server-u.self))
}

func (u usage) cores(used time.Duration) float64 { return used.Seconds() / u.elapsed.Seconds() }

// limitedByLoad adds a note when the load generator was out of time and the server was not.
func limitedByLoad(t *comparison, sys result.System, what string, cell result.Cell, suffix string) {
	const exhausted, idle = 0.9, 0.85
	load, _ := cell.Median(loadBusy + suffix)
	server, _ := cell.Median(serverBusy + suffix)
	if load >= exhausted && server < idle {
		t.note("%s, %s: the load generator was busy for %.0f %% of the time and the server for %.0f %%, so the generator may be the limit",
			sys.Title, what, 100*load, 100*server)
	}
}
