package proc

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is the unit of /proc/stat, the same on all Linux systems.
const ticksPerSecond = 100

// Busy is the time that all cores together have spent working, for whomever.
func Busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	const idle, iowait, guest = 4, 5, 9
	var ticks int64
	for i, field := range fields {
		if i == 0 || i == idle || i == iowait || i >= guest {
			continue
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// Describe tells what machine this is, in one line.
func Describe() string {
	return fmt.Sprintf("%s, %d cores, %s of memory, Linux %s, %s", processor(), Cores(), memory(), kernel(), runtime.Version())
}

func processor() string { return procField("/proc/cpuinfo", "model name", runtime.GOARCH) }

func memory() string {
	text := procField("/proc/meminfo", "MemTotal", "unknown size")
	kb, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	if err != nil {
		return text
	}
	return fmt.Sprintf("%.0f GiB", kb/(1<<20))
}

// Cores counts all of the machine's, not only those this program is pinned to.
func Cores() int {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.NumCPU()
	}
	return strings.Count(string(text), "processor\t:")
}

func procField(file, name, otherwise string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return otherwise
	}
	for line := range strings.Lines(string(text)) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}

func kernel() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:])
}

// Slab is the memory, in bytes, in which the kernel keeps its own structures, those of sockets among them.
func Slab() (int64, error) {
	text := procField("/proc/meminfo", "Slab", "")
	kb, err := strconv.ParseInt(strings.TrimSuffix(text, " kB"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/meminfo: slab: %w", err)
	}
	return kb << 10, nil
}
