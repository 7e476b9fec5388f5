package server

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestGroupLimit finds the least limit of a control group and those around it.
func TestGroupLimit(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for file, limit := range map[string]string{
		"a/b/memory.max":                 "max\n",
		"a/memory.max":                   "1000000\n",
		"memory.max":                     "2000000\n",
		"memory/c/memory.limit_in_bytes": "3000000\n",
	} {
		name := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(limit), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]uint64{
		"0::/a/b":        1000000,
		"0::/":           2000000,
		"0::/../a":       1000000,
		"4:memory:/c":    3000000,
		"5:cpu,memory:/": math.MaxUint64,
		"5:cpu:/":        math.MaxUint64,
		"nonsense":       math.MaxUint64,
	} {
		if got := groupLimit(root, line); got != want {
			t.Errorf("%s: %d bytes, want %d", line, got, want)
		}
	}
}

// TestUnfinishedFor gives unfinished messages an eighth of the memory, and a bound where
// that is unknown or little.
func TestUnfinishedFor(t *testing.T) {
	t.Parallel()
	for memory, want := range map[uint64]int64{0: 64 << 20, 1 << 20: 64 << 20, 8 << 30: 1 << 30} {
		if got := unfinishedFor(memory); got != want {
			t.Errorf("%d of %d bytes, want %d", got, memory, want)
		}
	}
	if got := unfinishedFor(machineMemory()); got < 64<<20 {
		t.Errorf("%d bytes of this machine", got)
	}
}
