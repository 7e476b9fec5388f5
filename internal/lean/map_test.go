package lean

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestMapIsAMap holds it to a plain map.
func TestMapIsAMap(t *testing.T) {
	t.Parallel()
	var m Map[int, int]
	plain := map[int]int{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		key := r.IntN(1 + i%2000)
		if r.IntN(3) > 0 && i%20_000 < 10_000 {
			m.Set(key, i)
			plain[key] = i
		} else {
			m.Delete(key)
			delete(plain, key)
		}
		want, isThere := plain[key]
		if got, ok := m.Find(key); got != want || ok != isThere || m.Get(key) != want || m.Len() != len(plain) {
			t.Fatalf("step %d: key %d is %d, %v; want %d, %v", i, key, got, ok, want, isThere)
		}
	}
	n := 0
	for key, value := range m.All {
		if plain[key] != value {
			t.Errorf("key %d is %d, want %d", key, value, plain[key])
		}
		n++
	}
	if n != len(plain) {
		t.Errorf("%d keys were yielded, want %d", n, len(plain))
	}
}

// TestMapGivesMemoryBack empties a large map but for some keys.
func TestMapGivesMemoryBack(t *testing.T) {
	const n = 1 << 18
	var m Map[int, [4]uint64]
	before := heap()
	for i := range n {
		m.Set(i, [4]uint64{})
	}
	full := heap() - before
	for i := range n - 100 {
		m.Delete(i)
	}
	if left := heap() - before; left > full/100 {
		t.Errorf("of %d bytes %d are left", full, left)
	}
	if m.Len() != 100 {
		t.Errorf("%d keys are left", m.Len())
	}
	runtime.KeepAlive(&m)
}

func heap() int {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int(s.HeapAlloc)
}
