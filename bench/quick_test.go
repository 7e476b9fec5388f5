package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-rt/parley/bench/internal/proc"
	"github.com/parley-rt/parley/bench/internal/scenario"
)

// TestMain lets the test program be a holder too: it starts itself for one.
func TestMain(m *testing.M) {
	if scenario.IsHolder(os.Args) {
		os.Exit(scenario.Hold(os.Args))
	}
	os.Exit(m.Run())
}

// TestQuick measures Parley and a peer in quick size, from building them to the document, and makes the document again from the results.
func TestQuick(t *testing.T) {
	dir := t.TempDir()
	o := parse([]string{
		"-quick", "-systems", "parley,gorilla", "-results", dir, "-out", filepath.Join(dir, "performance.md"), "-server-core", "-1", "-load-core", "-1",
	})
	if err := measure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	document := read(t, o.out)
	for _, want := range []string{
		"quick trial", "gorilla/websocket, chat pattern", "v1.5.3", "## A crowd", "## Connection rate", "## Fan-out", "## Many publishers",
		"Parley, keeping messages", "## Accepting messages that are kept", "## More messages than a server can take", "8,000/s, online", "## Many resume at once", "## Serving again after a kill",
		"| groups of one |", "## Peer to peer", "closed with", "## Where the time goes",
	} {
		if !strings.Contains(document, want) {
			t.Errorf("the document does not hold %q", want)
		}
	}
	if strings.Contains(document, "| – | – |") {
		t.Errorf("a case has no figures:\n%s", document)
	}
	checkRepeatable(t, dir, document)
}

// TestAgainst compares two builds of Parley, here two of the same.
func TestAgainst(t *testing.T) {
	dir := t.TempDir()
	earlier := filepath.Join(dir, "parley")
	if out, err := exec.Command("go", "build", "-C", "..", "-o", earlier, "./cmd/parley").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	o := parse([]string{
		"-quick", "-against", earlier, "-only", "connect,overload", "-results", dir, "-out", filepath.Join(dir, "performance.md"), "-server-core", "-1", "-load-core", "-1",
	})
	if err := measure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if document := read(t, o.out); !strings.Contains(document, "| Parley, earlier |") || !strings.Contains(document, "| Parley, earlier, 8,000/s, online |") || strings.Contains(document, "gorilla") {
		t.Errorf("got\n%s", document)
	}
}

// checkRepeatable makes the document from the only results file in dir.
func checkRepeatable(t *testing.T, dir, document string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("results files: %v, %v", files, err)
	}
	again := parse([]string{"-report", files[0], "-out", filepath.Join(dir, "again.md")})
	if err := run(again); err != nil {
		t.Fatal(err)
	}
	if read(t, again.out) != document {
		t.Error("the document made from the results is another one")
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestQuickDefaults(t *testing.T) {
	t.Parallel()
	if o := parse([]string{"-quick"}); o.runs != 1 || o.out != "-" {
		t.Errorf("got %d runs to %s", o.runs, o.out)
	}
	if o := parse([]string{"-quick", "-runs", "2", "-out", "x.md"}); o.runs != 2 || o.out != "x.md" {
		t.Errorf("got %d runs to %s", o.runs, o.out)
	}
	if o := parse([]string{"-sizes", "10,1000"}); !slices.Equal(o.sizes, []int{10, 1000}) {
		t.Errorf("got sizes %v", o.sizes)
	}
	if o := parse(nil); o.runs != 5 || o.out != defaultOut || o.serverCore == proc.Unpinned {
		t.Errorf("got %+v", o)
	}
}
