//go:build race

package disklayer

// raceEnabled reports whether the race detector slows the tests down.
const raceEnabled = true
