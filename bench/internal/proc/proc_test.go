package proc_test

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/parley-rt/parley/bench/internal/proc"
)

// TestOwnUsage is not parallel: a child that another test starts could end just when it is asked about.
func TestOwnUsage(t *testing.T) {
	before, err := proc.CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 20*time.Millisecond; {
		continue
	}
	after, err := proc.CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after <= before {
		t.Errorf("processor time went from %v to %v", before, after)
	}
	exact, err := proc.RSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	quick, err := proc.QuickRSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if exact < 1<<20 || quick < exact/2 || quick > exact*2 {
		t.Errorf("resident memory %d, quickly %d", exact, quick)
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	if busy, err := proc.Busy(); err != nil || busy <= 0 {
		t.Errorf("busy %v, %v", busy, err)
	}
	if slab, err := proc.Slab(); err != nil || slab <= 0 {
		t.Errorf("slab %d, %v", slab, err)
	}
	if got := proc.Describe(); !strings.Contains(got, "cores") || !strings.Contains(got, "GiB") {
		t.Errorf("got %q", got)
	}
}

func TestStartTellsWhatAServerThatEndedSaid(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddrPort("127.0.0.1:1") // a free port might not stay free
	command := proc.Command{Path: "/bin/sh", Args: []string{"-c", "echo no room >&2; exit 1"}, Dir: t.TempDir()}
	if _, err := proc.Start(t.Context(), command, addr, proc.Unpinned); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("got %v", err)
	}
}

// TestUnpinnedServerHasAllCores starts one from a thread that is bound to a core.
func TestUnpinnedServerHasAllCores(t *testing.T) {
	t.Parallel()
	if runtime.NumCPU() < 2 {
		t.Skip("there is one core")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	var set unix.CPUSet
	set.Set(0)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort("127.0.0.1:1")
	command := proc.Command{Path: "/bin/sh", Args: []string{"-c", "echo cores: $(nproc) >&2; exit 1"}, Dir: t.TempDir()}
	_, err := proc.Start(t.Context(), command, addr, proc.Unpinned)
	if want := fmt.Sprintf("cores: %d", runtime.NumCPU()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestStartOfNothing(t *testing.T) {
	t.Parallel()
	command := proc.Command{Path: "/nowhere/server", Dir: t.TempDir()}
	if _, err := proc.Start(t.Context(), command, netip.AddrPort{}, proc.Unpinned); err == nil {
		t.Error("a program that is not there was started")
	}
}
