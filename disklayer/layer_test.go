package disklayer

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/layertest"
)

// TestLayer runs the suite of all layers. Reopening is a power cut.
func TestLayer(t *testing.T) {
	t.Parallel()
	layertest.Run(t, func(t *testing.T) (parley.Layer, func() parley.Layer) {
		mem := vfs.NewCrashableMem()
		cfg := testConfig("data")
		cfg.tick = 100 * time.Millisecond
		cfg.reopen = time.Hour
		cfg.fs = mem
		l := mustOpen(t, cfg)
		return l, func() parley.Layer {
			kill(l)
			mem = mem.CrashClone(vfs.CrashCloneCfg{})
			cfg.fs = mem
			l = mustOpen(t, cfg)
			return l
		}
	})
}

// kill has a layer change nothing any more.
func kill(l *Layer) {
	if s, err := l.use(); err == nil {
		s.fs.fail(errors.New("killed"))
		s.fs.settle()
	}
	_ = l.Close() // it failed
}
