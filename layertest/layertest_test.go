package layertest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/layertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRun has the tests pass with a layer that gives what is promised, and not
// more.
func TestRun(t *testing.T) {
	t.Parallel()
	layertest.Run(t, func(*testing.T) (parley.Layer, func() parley.Layer) {
		layer := &strange{kept: &parley.MemoryLayer{MaxBytes: 1 << 30}}
		return layer, layer.reopen
	})
}
