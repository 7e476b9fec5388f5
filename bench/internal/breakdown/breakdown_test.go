package breakdown

import (
	"testing"

	"github.com/google/pprof/profile"
)

const (
	socket = "github.com/parley-rt/parley/internal/socket."
	enter  = "internal/runtime/syscall.Syscall6"
)

var stacks = []struct {
	class Class
	stack []string
}{
	{Writing, []string{enter, "syscall.RawSyscall6", "syscall.write", socket + "(*attempt).write", "internal/poll.(*FD).RawWrite"}},
	{Writing, []string{"syscall.rawSyscallNoError", socket + "writeFD"}},
	{Reading, []string{enter, "syscall.Syscall", "syscall.read", "syscall.Read", socket + "(*plain).read"}},
	{Waiting, []string{enter, "internal/runtime/syscall.EpollWait", "runtime.netpoll", "runtime.findRunnable", "runtime.schedule"}},
	{Other, []string{enter, "syscall.Syscall", "syscall.accept4"}},
	{Scheduler, []string{"runtime.futex", "runtime.futexwakeup", "runtime.notewakeup", "runtime.startm"}},
	{Scheduler, []string{"runtime.casgstatus", "runtime.ready", "runtime.goready.func1", "runtime.systemstack", socket + "(*Loop).run"}},
	{Scheduler, []string{"runtime.nanotime", "runtime.mcall"}},
	{Memory, []string{"runtime.memclrNoHeapPointers", "runtime.mallocgc", "runtime.newobject", "encoding/json.(*decodeState).object"}},
	{Memory, []string{"runtime.scanobject", "runtime.gcDrain", "runtime.gcBgMarkWorker"}},
	{Stacks, []string{"runtime.pcvalue", "runtime.adjustframe", "runtime.copystack", "runtime.newstack", socket + "(*plain).wait"}},
	{Sockets, []string{"runtime.pollInfo.closing", "runtime.netpollcheckerr", "internal/poll.runtime_pollReset"}},
	{Sockets, []string{"internal/poll.(*FD).RawWrite", "net.(*rawConn).Write", socket + "(*plain).tryWrite"}},
	{JSON, []string{"unicode/utf8.DecodeRune", "encoding/json.unquote", "github.com/parley-rt/parley/internal/server.member"}},
	{Engine, []string{"runtime.memmove", "bytes.(*Buffer).Write", socket + "(*Loop).flush"}},
	{Library, []string{"runtime.mapaccess2_faststr", "github.com/parley-rt/parley.(*table).find[go.shape.*example.com/x.T]"}},
	{Server, []string{"github.com/parley-rt/parley/internal/server.everyone.Receive"}},
	{Rest, []string{"example.com/other.f"}},
	{Rest, nil},
}

func TestClassOf(t *testing.T) {
	t.Parallel()
	for _, test := range stacks {
		if got := classOf(test.stack); got != test.class {
			t.Errorf("%q: got %q, want %q", test.stack, got, test.class)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	sample := func(n int64, functions ...string) *profile.Sample {
		s := &profile.Sample{Value: []int64{n, n * 10_000_000}}
		for _, f := range functions {
			s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: f}}}})
		}
		return s
	}
	shares, samples := Of(&profile.Profile{Sample: []*profile.Sample{
		sample(3, stacks[0].stack...), sample(1, socket+"f"),
	}})
	if samples != 4 || shares[Writing] != 0.75 || shares[Engine] != 0.25 || len(shares) != 2 {
		t.Errorf("%d samples: %v", samples, shares)
	}
}
