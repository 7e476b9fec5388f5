package server

import (
	"math"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// machineMemory returns the bytes of memory that this process may use: the machine's, or
// less where a control group says so.
func machineMemory() uint64 {
	memory := uint64(math.MaxUint64)
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		memory = uint64(info.Totalram) * uint64(info.Unit)
	}
	groups, _ := os.ReadFile("/proc/self/cgroup") // none is no limit
	for line := range strings.Lines(string(groups)) {
		memory = min(memory, groupLimit("/sys/fs/cgroup", strings.TrimSpace(line)))
	}
	return memory
}

// groupLimit returns the least limit of a control group and those around it, which a
// line of /proc/self/cgroup names: version 2, or the memory controller of version 1
// (cgroups(7)). A container sees its own group as the root.
func groupLimit(root, line string) uint64 {
	limit := uint64(math.MaxUint64)
	fields := strings.SplitN(line, ":", 3)
	if len(fields) < 3 {
		return limit
	}
	file := "memory.max"
	switch fields[1] {
	case "":
	case "memory":
		root, file = path.Join(root, "memory"), "memory.limit_in_bytes"
	default:
		return limit
	}
	for group := path.Clean("/" + fields[2]); ; group = path.Dir(group) {
		text, err := os.ReadFile(path.Join(root, group, file))
		if n, invalid := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && invalid == nil {
			limit = min(limit, n)
		}
		if group == "/" {
			return limit
		}
	}
}
