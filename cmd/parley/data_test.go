package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

// freePort is for servers whose port does not matter.
const freePort = "--addr=127.0.0.1:0"

// TestDataDirectory looks at which servers make one, and what they say of it.
func TestDataDirectory(t *testing.T) {
	t.Parallel()
	elsewhere := filepath.Join(t.TempDir(), "deeper", "data")
	for _, tt := range []struct {
		args []string
		made string // in the working directory, or absolute; "" for nothing
		said string
	}{
		{nil, "parley-data", "messages to user:*, in "},
		{[]string{"--data", "other"}, "other", "messages to user:*, in "},
		{[]string{"--data", elsewhere, "--keep=group:a", "--keep=user:b"}, elsewhere, "messages to group:a, user:b, in " + elsewhere},
		{[]string{"--data=memory"}, "", "messages to user:*, in memory"},
		{[]string{"--keep=none"}, "", "nothing"},
		{[]string{"--open"}, "", "nothing: names are not proved"},
		{[]string{"--open", "--keep=user:*"}, "parley-data", "messages to user:*, in "},
	} {
		p := serve(t, append(tt.args, freePort)...)
		if !strings.Contains(p.seen.String(), `"kept":"`+tt.said) {
			t.Errorf("%v: want %q in %s", tt.args, tt.said, &p.seen)
		}
		p.wantOnlyData(tt.made)
	}
}

// wantOnlyData looks for a data directory, and for anything else that was made.
func (p *process) wantOnlyData(dir string) {
	p.t.Helper()
	if dir != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(p.cmd.Dir, dir)
	}
	if dir != "" {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o077 != 0 || !strings.Contains(p.seen.String(), dir) {
			p.t.Errorf("%s: %v, %v, and it said %s", dir, info, err, &p.seen)
		}
	}
	entries, err := os.ReadDir(p.cmd.Dir)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, entry := range entries {
		if filepath.Join(p.cmd.Dir, entry.Name()) != dir {
			p.t.Errorf("it made %s", entry.Name())
		}
	}
}

func TestBannerNamesTheData(t *testing.T) {
	t.Parallel()
	p := serve(t, freePort, "--log-format=text")
	p.until("Ctrl-C")
	if want := "messages to user:*, in " + filepath.Join(p.cmd.Dir, "parley-data") + "\n"; !strings.Contains(p.seen.String(), want) {
		t.Errorf("want %q in\n%s", want, &p.seen)
	}
}

func TestOneServerPerDataDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	serve(t, freePort, "--data", dir)
	wantMistake(t, "parley: --data: ", "serve", freePort, "--data", dir)
}

// TestKeptThroughKill has a message wait through a kill -9, in each durability.
func TestKeptThroughKill(t *testing.T) {
	t.Parallel()
	for _, durability := range []string{"machine", "process"} {
		t.Run(durability, func(t *testing.T) {
			t.Parallel()
			args := []string{freePort, "--data", filepath.Join(t.TempDir(), "data"), "--durability", durability}
			p := serve(t, args...)
			sendKept(t, p, "one", "two", "three")
			p.kill()
			p = serve(t, args...)
			wantKept(t, p, "one", "two", "three")
		})
	}
}

// TestDataBytes has a directory with no room: whoever asks is told, and who wants
// nothing kept is served.
func TestDataBytes(t *testing.T) {
	t.Parallel()
	p := serve(t, freePort, "--data-bytes=1")
	alice := parleytest.DialURL(t, p.url+"ws/alice/", nil)
	alice.Send(toBob("hello"))
	if got := alice.Receive(); !strings.Contains(got, `"code":"unavailable"`) || !strings.Contains(got, `"to_user":"bob"`) {
		t.Errorf("got %s", got)
	}
	for _, path := range []string{"healthz", "readyz"} {
		status, body := p.get(path)
		if status != http.StatusServiceUnavailable || strings.Contains(body, p.cmd.Dir) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	p.until("messages cannot be kept")
	all := parleytest.DialURL(t, p.url+"ws/", nil)
	all.Send("hello")
	all.Receive()
}

// get asks for a path without its first slash.
func (p *process) get(path string) (status int, body string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Close = true
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

// sendKept has alice send to bob, who is not there, and waits until all is safe.
func sendKept(t *testing.T, p *process, texts ...string) {
	t.Helper()
	alice := parleytest.DialURL(t, p.url+"ws/alice/?ack=1", nil)
	for _, text := range texts {
		alice.Send(toBob(text))
	}
	for range texts {
		if got := alice.Receive(); got != `{"ack":{"to_user":"bob","state":"kept"}}` {
			t.Fatalf("got %s", got)
		}
	}
}

// wantKept has bob connect and get texts, in this order.
func wantKept(t *testing.T, p *process, texts ...string) {
	t.Helper()
	bob := parleytest.DialURL(t, p.url+"ws/bob/", nil)
	for _, text := range texts {
		if got := bob.Receive(); got != toBob(text) {
			t.Fatalf("got %s, want %s", got, text)
		}
	}
}

func toBob(text string) string { return `{"message":"` + text + `","to_user":"bob"}` }

// kill ends the server as kill -9 does.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	p.exit()
}

// TestDataIsClosed stops a server on SIGTERM with a message just accepted.
func TestDataIsClosed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	p := serve(t, freePort, "--data", dir)
	sendKept(t, p, "last")
	p.stop()
	if _, err := os.Lstat(filepath.Join(dir, controlName)); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	wantKept(t, serve(t, freePort, "--data", dir), "last")
}

// TestAcknowledgedStaysSo has bob answer the ping behind a message: after a restart
// he gets only what came later.
func TestAcknowledgedStaysSo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	p := serve(t, freePort, "--data", dir)
	sendKept(t, p, "read")
	bob := parleytest.DialURL(t, p.url+"ws/bob/?ack=1", nil)
	bob.Receive()
	bob.ReceiveNothing() // but the ping, which it answers
	bob.Close(parley.CloseNormal)
	p.stop()
	p = serve(t, freePort, "--data", dir)
	sendKept(t, p, "new")
	wantKept(t, p, "new")
}

// stop ends the server in peace.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Skip(err) // Windows has no such signal
	}
	if code := p.exit(); code != 0 {
		p.t.Errorf("exit code %d after\n%s", code, &p.seen)
	}
}
