package socket

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenWithoutDescriptors opens connections in a process that has no
// descriptor left: each is refused, or over at once, and ended. The engine goes
// on as soon as there are some.
func TestOpenWithoutDescriptors(t *testing.T) {
	t.Parallel()
	const inChild = "PARLEY_TEST_WITHOUT_DESCRIPTORS"
	if os.Getenv(inChild) != "" {
		openWithoutDescriptors(t)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=1m")
	child.Env = append(os.Environ(), inChild+"=1")
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func openWithoutDescriptors(t *testing.T) {
	e := newTestEngine(t, testConfig())
	refused, refusedClient := unixPair(t)
	brief, briefClient := unixPair(t)
	server, client := unixPair(t)
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: 100}))
	spare := useUp(t)
	if err := e.Open(&Conn{}, refused, nil, newRecorder()); !errors.Is(err, unix.EMFILE) {
		t.Errorf("Open returned %v, want %v", err, unix.EMFILE)
	}
	expectEnd(t, refusedClient)

	useUp(t)
	check(t, unix.Close(spare[0]))
	letGo := hold(t, e.loops[0])
	h := newRecorder()
	check(t, e.Open(&Conn{}, brief, nil, h))
	useUp(t) // the loop has none for its poller
	letGo()
	if code := await(t, h.closed, "Closed"); code != codeAbnormal || h.closings() != 1 {
		t.Errorf("closed with %d, Closing was called %d times", code, h.closings())
	}
	expectEnd(t, briefClient)

	check(t, errors.Join(unix.Close(spare[1]), unix.Close(spare[2])))
	c := open(t, e, server, newRecorder())
	check(t, c.Write(t.Context(), Frame(false, []byte("a")), false))
	if f, err := readFrame(client); err != nil || string(f.Payload) != "a" {
		t.Errorf("got %q and %v", f.Payload, err)
	}
}

// useUp leaves the process no descriptor. It returns those that it took.
func useUp(t *testing.T) (taken []int) {
	t.Helper()
	for {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == unix.EMFILE {
			return taken
		}
		check(t, err)
		taken = append(taken, fd)
	}
}

// expectEnd has a client read nothing but the end.
func expectEnd(t *testing.T, client peer) {
	t.Helper()
	if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF && !isReset(err) {
		t.Errorf("the client read %d bytes and %v, want the end", n, err)
	}
}
