package disklayer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestReopenLarge kills a process that kept PARLEY_MESSAGES messages of PARLEY_LOGS
// addresses, and opens what it left: soon, and with bounded memory.
func TestReopenLarge(t *testing.T) {
	messages, logs := fromEnv("PARLEY_MESSAGES", 20_000), fromEnv("PARLEY_LOGS", 2_000)
	if dir := os.Getenv("PARLEY_TEST_LARGE"); dir != "" {
		writeLarge(dir, messages, logs)
	}
	dir := filepath.Join(t.TempDir(), "data")
	writer := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestReopenLarge$", "-test.timeout", "0")
	writer.Env = append(os.Environ(), "PARLEY_TEST_LARGE="+dir)
	began := time.Now()
	if out, err := writer.CombinedOutput(); err == nil || !strings.Contains(string(out), "all written\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("written in %v; %s in use before opening", time.Since(began), memoryUse())

	began = time.Now()
	l := mustOpen(t, testConfig(dir))
	opened := time.Since(began)
	link := l.Attach(&hub{keep: keepAll})
	got, _ := texts(t, link, parley.User("7"), parley.Cursor{})
	mustSend(t, link, parley.User("7"), "again")
	served := time.Since(began)
	t.Logf("opened in %v, a log read and a message accepted after %v; %s in use", opened, served, memoryUse())
	if want := messages / logs; len(got) != want {
		t.Errorf("%d messages of %d are kept", len(got), want)
	}
	if served > 3*time.Second && os.Getenv("PARLEY_MESSAGES") != "" {
		t.Error("that is too slow")
	}
	began = time.Now()
	const reads = 1000
	for i := range reads {
		to := parley.User(fmt.Sprint(i * 7919 % logs))
		if _, err := link.ReadAfter(t.Context(), to, parley.Cursor{}, parley.PageLimit{Messages: 100, Bytes: 1 << 20}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d logs read in %v; %s in use", reads, time.Since(began), memoryUse())
}

// writeLarge is what the other process does. It ends as if it was killed.
func writeLarge(dir string, messages, logs int) {
	l, err := open(testConfig(dir))
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	link := l.Attach(&hub{keep: keepAll})
	last := make(chan struct{})
	data := []byte(strings.Repeat("some text ", 10))
	for i := range messages {
		e := parley.Envelope{Message: parley.Message{To: parley.User(fmt.Sprint(i % logs)), From: parley.User("alice"), Data: data}}
		err := link.Append(context.Background(), e, func(_ parley.Sent, err error) {
			if err != nil {
				println(err.Error())
				os.Exit(1)
			}
			if i == messages-1 {
				close(last)
			}
		})
		if err != nil {
			println(err.Error())
			os.Exit(1)
		}
	}
	<-last
	println("all written")
	os.Exit(1)
}

// memoryUse returns how much memory this process has, where the system tells.
func memoryUse() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown memory"
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}
