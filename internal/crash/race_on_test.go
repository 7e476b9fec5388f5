//go:build race

package crash_test

// raceEnabled reports whether the race detector slows the tests down.
const raceEnabled = true
