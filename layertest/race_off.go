//go:build !race

package layertest

// raceEnabled reports whether the race detector slows the tests down.
const raceEnabled = false
