package parley_test

import (
	"testing"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/layertest"
)

func TestMemoryLayer(t *testing.T) {
	t.Parallel()
	layertest.Run(t, func(*testing.T) (parley.Layer, func() parley.Layer) {
		return &parley.MemoryLayer{MaxBytes: 1 << 30}, nil // for a million addresses
	})
}
