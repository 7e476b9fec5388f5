package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// TestTerminal looks at what a person sees who starts the server.
func TestTerminal(t *testing.T) {
	t.Parallel()
	screen, tty := openTerminal(t)
	p := &process{t: t, cmd: command(t, "serve", "--addr", "127.0.0.1:0")}
	p.cmd.Stderr = tty
	p.run(screen)
	p.until("Ctrl-C")
	p.signal(syscall.SIGINT)
	p.until("stopping")
	if seen := p.seen.String(); !strings.HasPrefix(seen, "Parley ") || !strings.Contains(seen, "level=INFO msg=stopping") {
		t.Error(seen)
	}
}

// openTerminal returns the two ends of a new pseudoterminal (pty(7)).
func openTerminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen = openFile(t, "/dev/ptmx")
	var locked, number uint32
	ioctl(t, screen, syscall.TIOCSPTLCK, &locked)
	ioctl(t, screen, syscall.TIOCGPTN, &number)
	return screen, openFile(t, "/dev/pts/"+strconv.Itoa(int(number)))
}

func openFile(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no pseudoterminals: %v", err)
	}
	t.Cleanup(func() { _ = f.Close() }) // nothing was to be kept
	return f
}

func ioctl(t *testing.T, f *os.File, request uintptr, value *uint32) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
		t.Fatal(errno)
	}
}
