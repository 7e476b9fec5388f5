package parley_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// TestReadmeProgram compiles the library program of the README, runs it, and
// talks to it.
func TestReadmeProgram(t *testing.T) {
	t.Parallel()
	address, release := freeAddress(t)
	program := strings.Replace(readmeBlock(t, "go"), "127.0.0.1:8080", address, 1)
	if lines := codeLines(program); lines > 15 {
		t.Errorf("the program has %d lines of code, want 15", lines)
	}
	binary := build(t, program)
	release()
	start(t, binary)

	conn := dialWhenUp(t, "ws://"+address+"/ws/")
	defer conn.Close()
	if err := wsutil.WriteClientText(conn, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	got, err := wsutil.ReadServerText(conn)
	if err != nil || string(got) != "hello" {
		t.Fatalf("got %q, %v; want hello", got, err)
	}
}

// TestReadmeClient bounds the browser client, which the browser tests run in a
// like form.
func TestReadmeClient(t *testing.T) {
	t.Parallel()
	if n := strings.Count(readmeBlock(t, "js"), "\n"); n > 6 {
		t.Errorf("the browser client has %d lines, want 6 at most", n)
	}
}

// readmeBlock returns the README's first code block of a language.
func readmeBlock(t *testing.T, language string) string {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(readme)
	if block == nil {
		t.Fatalf("README.md has no block of %s", language)
	}
	return string(block[1])
}

func codeLines(program string) (n int) {
	for line := range strings.Lines(program) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	return n
}

// freeAddress returns a loopback address that nobody else gets until it is released.
func freeAddress(t *testing.T) (address string, release func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), func() { _ = l.Close() }
}

// build builds a program inside this module, so that it uses this checkout.
func build(t *testing.T, program string) (binary string) {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// start runs a program until the test ends.
func start(t *testing.T, binary string) {
	t.Helper()
	cmd := exec.Command(binary)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		said, _ := io.ReadAll(bufio.NewReader(stderr))
		if err := cmd.Wait(); len(said) > 0 {
			t.Errorf("the program ended with %v, and said %s", err, said)
		}
	})
}

// dialWhenUp connects as soon as the program listens.
func dialWhenUp(t *testing.T, url string) net.Conn {
	t.Helper()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	deadline := time.After(patience)
	for {
		conn, _, _, err := ws.Dial(t.Context(), url)
		if err == nil {
			return conn
		}
		select {
		case <-retry.C:
		case <-deadline:
			t.Fatalf("dialling %s: %v", url, err)
		}
	}
}
