//go:build !race

package parley

import (
	"runtime"
	"testing"
)

// TestStressMillionLogs makes a million logs of one message, and holds what each
// costs to what the layer counts.
func TestStressMillionLogs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a gigabyte")
	}
	const logs = 1_000_000
	l := &MemoryLayer{MaxBytes: 1 << 30}
	link := attach(t, l, someHours)
	before := heap()
	for i := range logs {
		e := Envelope{Message: Text("8 bytes.")}
		e.To = User(userName(i))
		if err := link.Append(t.Context(), e, func(Sent, error) {}); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, link, Group("g"), "the last one")
	each, counted := (heap()-before)/logs, l.used.Load()/logs
	t.Logf("a log of one message costs %d bytes, and %d are counted", each, counted)
	if each > int(counted) {
		t.Errorf("a log of one message costs %d bytes, and %d are counted", each, counted)
	}
	runtime.KeepAlive(l)
}
