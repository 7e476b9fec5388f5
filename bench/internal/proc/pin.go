// Package proc starts server processes on a core of their own and reads what they use.
package proc

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Unpinned stands for no particular core.
const Unpinned = -1

// pinnedMark is the environment variable by which the re-executed program knows itself.
const pinnedMark = "PARLEY_BENCH_PINNED"

// PinSelf moves this whole program to one core with a single Go processor, by executing it again; the second time it does nothing.
func PinSelf(core int) error {
	if core == Unpinned || os.Getenv(pinnedMark) != "" {
		return nil
	}
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := setCores(core); err != nil {
		return err
	}
	env := append(os.Environ(), pinnedMark+"=1", "GOMAXPROCS=1")
	if err := unix.Exec(executable, os.Args, env); err != nil {
		return fmt.Errorf("execute on core %d: %w", core, err)
	}
	return nil
}

// RaiseFileLimit lets this program and its children open as many files as the system allows.
func RaiseFileLimit() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read file limit: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise file limit: %w", err)
	}
	return nil
}

// onCore runs start on a thread that is bound to core, so that a process started by it is too. Unpinned is all cores, also where this
// program is bound to one.
func onCore(core int, start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("read affinity: %w", err)
	}
	if err := setCores(core); err != nil {
		return err
	}
	err := start()
	if restore := unix.SchedSetaffinity(0, &before); restore != nil {
		return fmt.Errorf("restore affinity: %w", restore)
	}
	return err
}

// setCores binds the thread to core, or to none of them.
func setCores(core int) error {
	var set unix.CPUSet
	if core == Unpinned {
		for i := range Cores() {
			set.Set(i)
		}
	} else {
		set.Set(core)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to core %d: %w", core, err)
	}
	return nil
}

// childEnv is this program's environment without what is meant for itself only, or would configure a server: Parley reads PARLEY_*.
func childEnv(extra []string) []string {
	own := func(variable string) bool {
		return strings.HasPrefix(variable, "PARLEY_") || strings.HasPrefix(variable, "GOMAXPROCS=")
	}
	return append(slices.DeleteFunc(os.Environ(), own), extra...)
}
