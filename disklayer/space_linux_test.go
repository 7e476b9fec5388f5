package disklayer

import (
	"fmt"
	iofs "io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// du returns what a directory takes on its disk.
func du(dir string) func() int64 {
	return func() (all int64) {
		_ = filepath.WalkDir(dir, func(_ string, d iofs.DirEntry, err error) error {
			if err != nil {
				return nil // it is gone meanwhile
			}
			if info, err := d.Info(); err == nil {
				all += info.Sys().(*syscall.Stat_t).Blocks * 512
			}
			return nil
		})
		return all
	}
}

// volume mounts a new ext4 file system of that size, or one in memory.
func volume(t *testing.T, mb int64) string {
	t.Helper()
	base := t.TempDir()
	image, dir := filepath.Join(base, "image"), filepath.Join(base, "volume")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	size := fmt.Sprint(mb, "M")
	made := exec.Command("mkfs.ext4", "-q", image, size)
	out, err := made.CombinedOutput()
	if err == nil {
		out, err = exec.Command("mount", "-o", "loop", image, dir).CombinedOutput()
	}
	if err != nil {
		t.Logf("no ext4 here, so tmpfs: %v: %s", err, out)
		out, err = exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput()
	}
	if err != nil {
		t.Skipf("no file system can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return filepath.Join(dir, "data")
}

// TestSmallDisks, with PARLEY_DISKS for all of them, lives on real file systems, whose size alone bounds the store, and
// with a bound that is larger than the disk.
func TestSmallDisks(t *testing.T) {
	for _, test := range []struct{ mb, max int64 }{{16, 0}, {64, 0}, {64, 8 << 10}, {512, 100}, {512, 0}} {
		t.Run(fmt.Sprint(test.mb, " of ", test.max), func(t *testing.T) {
			if (test.mb > 16 || testing.Short()) && os.Getenv("PARLEY_DISKS") == "" {
				t.Skip("PARLEY_DISKS is not set")
			}
			cfg := testConfig(volume(t, test.mb))
			cfg.MaxBytes = test.max << 20
			bound := test.mb << 20 * 8 / 10
			if test.max != 0 {
				bound = min(bound, test.max<<20)
			}
			live(t, cfg, bound, du(cfg.dir), 100, 1000, int(bound/4000))
		})
	}
}
