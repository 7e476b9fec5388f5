// Package breakdown groups the samples of a Go server's CPU profile into a few classes that a reader understands.
package breakdown

import (
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Class is what a part of the time went to.
type Class string

// The classes, in the order of a report.
const (
	Writing   Class = "kernel: writing to sockets"
	Reading   Class = "kernel: reading from sockets"
	Waiting   Class = "kernel: asking for events (epoll)"
	Other     Class = "kernel: other calls"
	Scheduler Class = "Go: scheduler, waking, channels"
	Memory    Class = "Go: allocation and garbage collection"
	Stacks    Class = "Go: growing stacks"
	Sockets   Class = "Go: net, internal/poll, syscall"
	JSON      Class = "Go: encoding/json"
	Engine    Class = "Parley: internal/socket"
	Library   Class = "Parley: package parley"
	Server    Class = "Parley: internal/server"
	Rest      Class = "the rest"
)

// Classes are all of them.
func Classes() []Class {
	return []Class{Writing, Reading, Waiting, Other, Scheduler, Memory, Stacks, Sockets, JSON, Engine, Library, Server, Rest}
}

// Of returns each class's share of the samples, and how many there were.
func Of(p *profile.Profile) (shares map[Class]float64, samples int64) {
	counts := make(map[Class]int64)
	for _, s := range p.Sample {
		counts[classOf(stack(s))] += s.Value[0]
		samples += s.Value[0]
	}
	shares = make(map[Class]float64)
	for class, n := range counts {
		shares[class] = float64(n) / float64(samples)
	}
	return shares, samples
}

// stack is the names of the functions of a sample, that which ran first.
func stack(s *profile.Sample) []string {
	var names []string
	for _, location := range s.Location {
		for _, line := range location.Line {
			if line.Function != nil {
				names = append(names, line.Function.Name)
			}
		}
	}
	return names
}

func classOf(stack []string) Class {
	if len(stack) == 0 {
		return Rest
	}
	if inKernel(stack[0]) {
		return kernelClass(stack)
	}
	for _, function := range stack {
		if class, ok := owner(function); ok {
			return class
		}
	}
	if strings.HasPrefix(stack[0], "runtime.") {
		return Scheduler // on a stack of the runtime's own
	}
	return Rest
}

// inKernel says whether a function is one that enters the kernel: a sample in it is the kernel's time.
func inKernel(function string) bool {
	pkg, name := split(function)
	switch {
	case strings.HasSuffix(pkg, "syscall"), strings.Contains(pkg, "runtime/syscall"):
		return strings.Contains(strings.ToLower(name), "syscall")
	case pkg == "runtime":
		return slices.Contains([]string{"futex", "usleep", "tgkill", "madvise", "osyield", "write1", "read"}, name)
	}
	return false
}

// kernelClass looks for the innermost function whose name tells what the kernel was asked for.
func kernelClass(stack []string) Class {
	for _, function := range stack {
		_, name := split(function)
		switch name = strings.ToLower(name); {
		case strings.Contains(name, "epoll"), strings.Contains(name, "netpoll"):
			return Waiting
		case strings.Contains(name, "write"), strings.Contains(name, "send"):
			return Writing
		case strings.Contains(name, "read"), strings.Contains(name, "recv"):
			return Reading
		case strings.Contains(name, "futex"), name == "usleep", name == "osyield", name == "tgkill":
			return Scheduler
		case name == "madvise":
			return Memory
		}
	}
	return Other
}

// owner is the class that a function decides, whatever called it. Helpers such as copying, maps and package bytes decide none:
// their time is their caller's.
func owner(function string) (Class, bool) {
	const module = "github.com/parley-rt/parley"
	pkg, name := split(function)
	switch pkg {
	case "runtime":
		return runtimeClass(name)
	case "internal/poll", "net", "syscall", "golang.org/x/sys/unix", "internal/syscall/unix":
		return Sockets, true
	case "encoding/json":
		return JSON, true
	case module + "/internal/socket":
		return Engine, true
	case module:
		return Library, true
	case module + "/internal/server":
		return Server, true
	}
	return "", false
}

// The beginnings of the names of the runtime's functions that tell what they are part of.
var (
	memoryFunctions = []string{
		"mallocgc", "newobject", "makeslice", "growslice", "gc", "bgsweep", "bgscavenge", "scan", "grey", "sweep", "wbBuf", "(*mheap)",
		"(*mcache)", "(*mcentral)", "(*mspan)", "(*sweepLocked)", "(*scavenger", "markroot", "typedmemmove", "tryDeferToSpanScan",
	}
	schedulerFunctions = []string{
		"schedule", "findRunnable", "gopark", "park_m", "goready", "ready", "wakep", "newproc", "goexit0", "gdestroy", "gosched",
		"chansend", "chanrecv", "selectgo", "selectnbsend", "selectnbrecv", "sem", "notewakeup", "notesleep", "notetsleep", "mcall", "entersyscall", "exitsyscall",
		"reentersyscall", "casgstatus", "sysmon", "netpollblock", "netpollready", "netpollgoready", "(*timer", "runqgrab", "runqsteal", "stealWork", "checkTimers",
		"injectglist", "startm", "stopm", "execute", "gogo", "lock2", "unlock2", "mstart", "handoffp", "resettimer",
	}
)

func runtimeClass(name string) (Class, bool) {
	begins := func(with string) bool { return strings.HasPrefix(name, with) }
	switch {
	case slices.ContainsFunc(memoryFunctions, begins):
		return Memory, true
	case begins("newstack"), begins("copystack"):
		return Stacks, true
	case slices.ContainsFunc(schedulerFunctions, begins):
		return Scheduler, true
	}
	return "", false
}

// split cuts a function's full name behind its package.
func split(function string) (pkg, name string) {
	slash := strings.LastIndexByte(function, '/') + 1
	// A type argument may hold slashes and dots of its own.
	if before, _, ok := strings.Cut(function, "["); ok {
		slash = strings.LastIndexByte(before, '/') + 1
	}
	dot := strings.IndexByte(function[slash:], '.')
	if dot < 0 {
		return "", function
	}
	return function[:slash+dot], function[slash+dot+1:]
}
