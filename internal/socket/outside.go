package socket

import "sync/atomic"

// outside counts the bytes of a connection that its loop has handed out, or does not
// have yet: values whose handler is not done with them, and frames in the mailbox.
// Each costs entryCost besides.
//
// The lowest bit says that the loop waits for them to be few. It is in the same word as
// the count, so no wake-up is lost: await sets it only where the count is still too
// large, and the remove that makes the count small finds it.
type outside struct{ word atomic.Int64 }

const outsideAwaited = 1

func outsideCost(size int) int64 { return int64(size+entryCost) << 1 }

// size returns how many bytes there are.
func (o *outside) size() int { return int(o.word.Load() >> 1) }

func (o *outside) add(size int) { o.word.Add(outsideCost(size)) }

// remove is called once for each add. It reports whether the loop waited for as few
// bytes as are left, and does not any more.
func (o *outside) remove(size, few int) (awaited bool) {
	word := o.word.Add(-outsideCost(size))
	for word&outsideAwaited != 0 && int(word>>1) <= few {
		if o.word.CompareAndSwap(word, word&^outsideAwaited) {
			return true
		}
		word = o.word.Load()
	}
	return false
}

// await reports whether there are more than few bytes. A remove then tells when there
// are not.
func (o *outside) await(few int) bool {
	for {
		word := o.word.Load()
		if int(word>>1) <= few {
			return false
		}
		if o.word.CompareAndSwap(word, word|outsideAwaited) {
			return true
		}
	}
}
