package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/crash/history"
	"github.com/parley-rt/parley/internal/crash/ops"
)

const (
	longestLife = time.Second      // how long a process lives at most once it has accepted something
	longestWait = 60 * time.Second // how long nothing may be accepted
)

// chaos kills the server again and again, and restores backups.
func (r *run) chaos(ctx context.Context) {
	rng := r.random(1 << 32)
	plan := r.plan(rng)
	for i := 0; i < r.cfg.Kills && ctx.Err() == nil; i++ {
		early := !plan.backup[i] && !plan.restore[i] && rng.IntN(8) == 0
		if early { // while it opens the data, or soon after
			rest(ctx, upTo(rng, 60*time.Millisecond), nil)
		} else {
			r.await(ctx, 1+rng.Int64N(300))
			rest(ctx, upTo(rng, longestLife), nil)
		}
		if plan.backup[i] {
			r.backup(ctx)
			rest(ctx, upTo(rng, longestLife/2), nil)
		}
		r.kill()
		if plan.restore[i] {
			r.restore(ctx)
			continue
		}
		r.start(ctx)
	}
	r.await(ctx, 1)
}

// plan says before which kills a backup is made, and after which it is put in the
// place of the data.
type plan struct{ backup, restore map[int]bool }

func (r *run) plan(rng *rand.Rand) plan {
	p := plan{map[int]bool{}, map[int]bool{}}
	for i := range r.cfg.Restores {
		first, end := r.cfg.Kills*i/r.cfg.Restores, r.cfg.Kills*(i+1)/r.cfg.Restores
		backup := first + rng.IntN(end-first)
		p.backup[backup] = true
		p.restore[backup+rng.IntN(min(end-backup, 3))] = true
	}
	return p
}

func (r *run) kill() {
	if err := r.node.kill(); err != nil {
		r.failf("killing the server: %w", err)
	}
	r.kills++
}

func (r *run) start(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if err := r.node.start(); err != nil {
		r.failf("starting the server: %w", err)
	}
}

// await waits until so many messages more are accepted.
func (r *run) await(ctx context.Context, n int64) {
	t := time.NewTimer(longestWait)
	defer t.Stop()
	for until := r.accepted.Load() + n; r.accepted.Load() < until; {
		select {
		case <-r.progress:
		case <-t.C:
			r.failf("fewer than %d messages were accepted in %v", n, longestWait)
			return
		case <-ctx.Done():
			return
		}
	}
}

// backup has the server copy its data.
func (r *run) backup(ctx context.Context) {
	dir, begun := r.backupDir(), r.at()
	err := r.ask(ctx, func(c *client) error {
		_, err := c.call(ops.Request{Op: ops.Backup, ID: 1, Dir: dir})
		return err
	})
	if err != nil {
		r.failf("backup: %w", err)
	}
	r.backedUp = begun
	r.cfg.Log("%v: a backup, which took %v", begun.Round(time.Millisecond), r.at()-begun)
}

func (r *run) backupDir() string {
	return filepath.Join(r.cfg.Dir, fmt.Sprintf("backup-%d", len(r.lives)))
}

// restore begins a new life with the backup.
func (r *run) restore(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if err := r.node.replace(r.backupDir()); err != nil {
		r.failf("restoring: %w", err)
		return
	}
	r.start(ctx)
	r.live(ctx, r.backedUp)
	r.restores++
	r.cfg.Log("%v: the backup of %v is back, epoch %x", r.at().Round(time.Millisecond), r.backedUp.Round(time.Millisecond), r.lives[len(r.lives)-1].Epoch)
}

// live notes the epoch that the server is in.
func (r *run) live(ctx context.Context, backup time.Duration) {
	life := history.Life{Backup: backup}
	err := r.ask(ctx, func(c *client) error {
		if err := c.send(ops.Request{Op: ops.Join, To: parley.Group("asking")}); err != nil {
			return err
		}
		e, err := c.receive()
		if err == nil && e.Joined == nil {
			err = fmt.Errorf("got %+v instead of a join", e)
		}
		if err == nil {
			life.Epoch = e.Joined.At.Epoch
		}
		return err
	})
	if err != nil {
		r.failf("asking for the epoch: %w", err)
	}
	r.lives = append(r.lives, life)
}

// ask does something on a connection of its own.
func (r *run) ask(ctx context.Context, f func(*client) error) error {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	c, err := dial(ctx, r.node.addr())
	if err != nil {
		return err
	}
	defer c.close()
	return f(c)
}
