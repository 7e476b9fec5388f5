package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// process is a running parley serve.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr *bufio.Reader
	seen   strings.Builder // of stderr
	url    string          // of the page
}

// serve starts the binary and waits until it listens.
func serve(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: command(t, append([]string{"serve"}, args...)...)}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.run(stderr)
	return p
}

// command makes the binary run in a directory of its own, without the
// environment's PARLEY_ variables.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = t.TempDir()
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "PARLEY_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	return cmd
}

var listening = regexp.MustCompile(`https?://[^/ ]+/`)

// run starts the command, whose stderr comes by r, and ends it with the test.
func (p *process) run(r io.Reader) {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill() // it may just have ended
			_ = p.cmd.Wait()         // killed, as intended
		}
	})
	p.stderr = bufio.NewReader(r)
	for p.url == "" {
		p.url = listening.FindString(p.line())
	}
}

// line returns the next line of stderr.
func (p *process) line() string {
	p.t.Helper()
	line, err := p.stderr.ReadString('\n')
	p.seen.WriteString(line)
	if err != nil {
		p.t.Fatalf("%v after\n%s", err, &p.seen)
	}
	return line
}

// until reads stderr up to a line that holds text.
func (p *process) until(text string) {
	p.t.Helper()
	for !strings.Contains(p.line(), text) {
	}
}

// exit waits for the end and returns the exit code: -1 after a signal.
func (p *process) exit() int {
	p.t.Helper()
	rest, err := io.ReadAll(p.stderr)
	p.seen.Write(rest)
	if err != nil {
		p.t.Error(err)
	}
	return exitCode(p.t, p.cmd.Wait())
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	failed, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatal(err)
	}
	return failed.ExitCode()
}
