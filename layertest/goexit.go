package layertest

import (
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/parley-rt/parley"
)

// testGoexit has Deliver of one hub, and dones, end their goroutine. The layer goes on
// behind each: the hubs get all messages in order, and every done is called once.
func testGoexit(r *rig) {
	const n = 300
	first, second := r.hub(), r.hub()
	first.exits = func(e parley.Envelope) bool { return endsWith(e, '1', '2') }
	addresses := []parley.Address{parley.Group("g"), parley.User("u")}
	told := make(map[parley.Address]chan int)
	for _, to := range addresses {
		first.subscribe(to)
		second.subscribe(to)
		told[to] = make(chan int, 2*n)
	}
	for i := range n {
		for _, to := range addresses {
			e := message(to, strconv.Itoa(i))
			err := second.link.Append(r.Context(), e, func(_ parley.Sent, err error) {
				if err != nil {
					r.Error(err)
				}
				told[to] <- i
				if endsWith(e, '2', '3') {
					runtime.Goexit()
				}
			})
			if err != nil {
				r.Fatal(err)
			}
		}
	}
	want := make([]string, n)
	for i := range want {
		want[i] = strconv.Itoa(i)
	}
	for _, to := range addresses {
		first.checkTexts("handed to the hub that ends goroutines", first.waitHanded(to, n), want...)
		second.checkTexts("handed to the other hub", second.waitHanded(to, n), want...)
	}
	first.close()
	second.close()
	for _, to := range addresses {
		close(told[to])
		var got []int
		for i := range told[to] {
			got = append(got, i)
		}
		if len(got) != n || !slices.IsSorted(got) {
			r.Errorf("results for %v came in the order %v", to, got)
		}
	}
}

// endsWith reports whether the last byte of a message is one of those.
func endsWith(e parley.Envelope, last ...byte) bool {
	return slices.Contains(last, e.Data[len(e.Data)-1])
}

// testGoexitInSend has Deliver of one hub end the goroutine of a sender: the other hub
// gets the message all the same.
func testGoexitInSend(r *rig) {
	first, second := r.hub(), r.hub()
	first.exits = func(e parley.Envelope) bool { return endsWith(e, 'a') }
	to := parley.Group("g")
	first.subscribe(to)
	second.subscribe(to)
	for _, say := range []string{"a", "b"} {
		var sending sync.WaitGroup
		sending.Go(func() { // which Deliver may end
			if err := second.link.Send(r.Context(), message(to, say)); err != nil {
				r.Error(err)
			}
		})
		sending.Wait()
	}
	first.checkTexts("handed to the hub that ends goroutines", first.waitPassed(2), "a", "b")
	second.checkTexts("handed to the other hub", second.waitPassed(2), "a", "b")
}
