package parley

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestCloseCodeDocument holds docs/close-codes.md to the table in the code.
func TestCloseCodeDocument(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("docs/close-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, row := range closeCodes {
		advice := "stop"
		if row.reconnect {
			advice = "reconnect"
		}
		if line := fmt.Sprintf("| %d | %s | %s |\n", code, row.meaning, advice); !strings.Contains(string(document), line) {
			t.Errorf("docs/close-codes.md lacks %q", line)
		}
	}
	if got, want := strings.Count(string(document), "\n| "), len(closeCodes)+1; got != want {
		t.Errorf("docs/close-codes.md has %d rows, want %d", got, want)
	}
}

// TestDependencies holds what the library imports to an allow-list.
func TestDependencies(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"github.com/parley-rt/parley",
		"github.com/parley-rt/parley/internal/deflate",
		"github.com/parley-rt/parley/internal/fault",
		"github.com/parley-rt/parley/internal/lean",
		"github.com/parley-rt/parley/internal/socket",
		"github.com/gobwas/ws",
		"github.com/gobwas/ws/internal/pool",
		"github.com/gobwas/ws/internal/saferio",
		"github.com/gobwas/httphead",
		"github.com/klauspost/compress/flate",
		"github.com/klauspost/compress/internal/le",
		"github.com/klauspost/compress/internal/regmask",
		"golang.org/x/sync/semaphore",
		"golang.org/x/sys/unix",
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		if !slices.Contains(allowed, path) {
			t.Errorf("the library imports %s", path)
		}
	}
}
