package scenario

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/parley-rt/parley/bench/internal/proc"
	"github.com/parley-rt/parley/bench/internal/system"
)

// TestMain lets the test program be a holder too: it starts itself for one.
func TestMain(m *testing.M) {
	if IsHolder(os.Args) {
		os.Exit(Hold(os.Args))
	}
	os.Exit(m.Run())
}

// TestInterruptedCrowdEndsItsProcesses ends the context while the crowd is at rest.
func TestInterruptedCrowdEndsItsProcesses(t *testing.T) {
	t.Parallel()
	env := &system.Env{Bench: "../..", Temp: t.TempDir(), Core: proc.Unpinned}
	if err := system.Library.Prepare(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const pairs = 2
	var crowd site
	err := errors.Join(crowd.start(ctx, env, pairs), crowd.hire(ctx, 20, time.Minute), crowd.tell(askOpen))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := crowd.rest(ctx, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := crowd.end(); err != nil {
		t.Error(err)
	}
	for i := range pairs {
		if !crowd.servers[i].Exited() || crowd.holders[i].cmd.ProcessState == nil {
			t.Errorf("a process of pair %d is left", i)
		}
	}
}
