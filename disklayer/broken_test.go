package disklayer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBrokenBuilds breaks the layer on purpose, and has TestPowerCut find it.
func TestBrokenBuilds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds another test binary")
	}
	binary := filepath.Join(t.TempDir(), "broken.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", "fault", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, test := range []struct{ name, want string }{
		{"", "PASS"},
		{"accept-before-sync", "PARLEY_SEED="},
		{"read-past-synced", "PARLEY_SEED="},
	} {
		run := exec.CommandContext(t.Context(), binary, "-test.run", "^TestPowerCut$")
		run.Env = append(os.Environ(), "PARLEY_FAULT="+test.name, "PARLEY_CUTS=30")
		out, err := run.CombinedOutput()
		if broken := test.name != ""; broken != (err != nil) || !strings.Contains(string(out), test.want) {
			t.Errorf("%q: %v\n%s", test.name, err, out)
		}
		t.Logf("%q: %.300s", test.name, out)
	}
}
