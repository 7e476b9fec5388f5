package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the processor time, to the nanosecond, that a process and its living descendants have used.
func CPU(pid int) (time.Duration, error) {
	var total time.Duration
	for _, p := range family(pid) {
		used, err := clock(cpuClock(p))
		if err != nil {
			return 0, fmt.Errorf("read processor time of %d: %w", p, err)
		}
		total += used
	}
	return total, nil
}

// SelfCPU is the processor time this program has used.
func SelfCPU() (time.Duration, error) { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

// cpuClock is the clock that clock_getcpuclockid(3) gives: the process's scheduler clock, threads that have ended included.
func cpuClock(pid int) int32 { return ^int32(pid)<<3 | 2 }

func clock(id int32) (time.Duration, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(id, &now); err != nil {
		return 0, err
	}
	return time.Duration(now.Nano()), nil
}

// RSS is the resident memory of a process and its descendants, counted page by page.
func RSS(pid int) (int64, error) {
	var total int64
	for _, p := range family(pid) {
		kb, err := rollup(p)
		if err != nil {
			return 0, err
		}
		total += kb << 10
	}
	return total, nil
}

func rollup(pid int) (int64, error) {
	name := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Rss:" {
			return strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no Rss line", name)
}

// QuickRSS is the resident memory by the kernel's running counters: cheap, and off by some dozens of pages.
func QuickRSS(pid int) (int64, error) {
	var total int64
	for _, p := range family(pid) {
		name := fmt.Sprintf("/proc/%d/statm", p)
		text, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		fields := strings.Fields(string(text))
		if len(fields) < 2 {
			return 0, fmt.Errorf("%s holds %q", name, text)
		}
		pages, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		total += pages * int64(os.Getpagesize())
	}
	return total, nil
}

// family is a process and its descendants. One that ends meanwhile has none.
func family(pid int) []int {
	pids := []int{pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is a constant one
	for _, name := range lists {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, family(child)...)
			}
		}
	}
	return pids
}
