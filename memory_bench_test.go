package parley

import (
	"strconv"
	"sync/atomic"
	"testing"
)

// BenchmarkMemoryAppend appends to many addresses, from as many goroutines as
// there are cores.
func BenchmarkMemoryAppend(b *testing.B) {
	link := attach(b, &MemoryLayer{}, someHours)
	names := make([]Address, 1000)
	for i := range names {
		names[i] = User("user-" + strconv.Itoa(i))
	}
	data := []byte("data")
	b.ReportAllocs()
	var goroutine atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for i := int(goroutine.Add(1)) * 100; pb.Next(); i++ {
			e := Envelope{Message: Message{Data: data, To: names[i%len(names)]}}
			if err := link.Append(b.Context(), e, func(Sent, error) {}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
