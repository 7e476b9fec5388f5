package server_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestPublicAPIAlone holds the server to what any program can import.
func TestPublicAPIAlone(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{join .Imports "\n"}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		own := strings.HasPrefix(path, "github.com/parley-rt/parley/")
		if own && path != "github.com/parley-rt/parley/web" {
			t.Errorf("the server imports %s", path)
		}
	}
}
