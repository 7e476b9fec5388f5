package crash_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// binaries is where the server is built.
var binaries string

func TestMain(m *testing.M) {
	var err error
	if binaries, err = os.MkdirTemp("", "parley-crash-bin-"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(binaries)
		os.Exit(code)
	}))
}

// buildOf is a build of the server, made when it is first asked for.
type buildOf struct{ once func() (string, error) }

var (
	sound  = newBuild("", raceEnabled)
	broken = newBuild("fault", false) // in the way that the environment names
)

func newBuild(tags string, race bool) *buildOf {
	return &buildOf{sync.OnceValues(func() (string, error) {
		name := filepath.Join(binaries, "server"+tags)
		args := []string{"build", "-o", name, "-tags", tags}
		if race {
			args = append(args, "-race")
		}
		out, err := exec.Command("go", append(args, "./server")...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("building the server: %w\n%s", err, out)
		}
		return name, err
	})}
}

// build returns the server's binary.
func build(t *testing.T, b *buildOf) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a process is not given a socket there")
	}
	name, err := b.once()
	if err != nil {
		t.Fatal(err)
	}
	return name
}
