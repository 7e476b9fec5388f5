package history

import (
	"fmt"
	"maps"
	"slices"
)

// checkView follows one receiver of an address through its connections.
func (c *checker) checkView(v *View) {
	w := &walk{checker: c, View: v}
	for _, ev := range v.Events {
		switch {
		case ev.Join != nil:
			w.join(ev.Join)
		case !w.joined:
			w.fail(Disordered, ev.ID, "delivered before the first join was answered")
		default:
			w.deliver(ev)
		}
	}
	w.end()
}

// walk is how far a receiver has come.
type walk struct {
	*checker
	*View
	joined bool
	epoch  uint64
	log    *log
	seen   uint64           // Seq of what came last
	next   int              // index in the log of the message that is due
	far    int              // the furthest next was
	behind map[int]struct{} // those before it that were not delivered
}

func (w *walk) fail(kind Kind, id ID, format string, args ...any) {
	w.checker.fail(Violation{kind, w.Address, w.Receiver, id, fmt.Sprintf(format, args...)})
}

func (w *walk) join(j *Join) {
	switch {
	case !w.joined:
		w.joined = true
		w.begin(j.At.Epoch)
		if j.Missed {
			w.fail(ToldWrongly, 0, "at its first join")
		}
	case w.epoch == j.At.Epoch && j.Missed:
		w.fail(ToldWrongly, 0, "after %d", j.After.Seq)
		w.leave()
		w.begin(j.At.Epoch)
	case w.epoch == j.At.Epoch:
		if w.Acknowledges {
			w.rewind(j.At.Seq)
		}
	default:
		w.leave()
		w.begin(j.At.Epoch)
		switch {
		case w.Acknowledges: // what it did in the life before is in the copy
			if j.Missed {
				w.fail(ToldWrongly, 0, "after what it acknowledged")
			}
			w.next = w.log.after(min(j.At.Seq, w.seen))
			w.far = w.next
		case !j.Missed:
			w.fail(NotTold, 0, "after %d of epoch %x, at %d of epoch %x", j.After.Seq, j.After.Epoch, j.At.Seq, j.At.Epoch)
		}
	}
}

// rewind has the receiver get again what it did not acknowledge. What it had got may
// be acknowledged after another connection began before that.
func (w *walk) rewind(seq uint64) {
	w.next = min(w.far, w.log.after(seq))
	maps.DeleteFunc(w.behind, func(i int, _ struct{}) bool { return i >= w.next })
}

// begin has the receiver get all of a life's log.
func (w *walk) begin(epoch uint64) {
	if life, known := w.lives[epoch]; !known || life < w.lives[w.epoch] {
		w.fail(WrongEpoch, 0, "joined in epoch %x", epoch)
	}
	w.epoch, w.log = epoch, w.checker.log(w.Address, epoch)
	w.next, w.far, w.behind = 0, 0, map[int]struct{}{}
}

func (w *walk) deliver(ev Event) {
	if life, known := w.lives[ev.Cursor.Epoch]; known && life > w.lives[w.epoch] {
		w.fail(NotTold, ev.ID, "delivered at %d of epoch %x to a member in epoch %x", ev.Cursor.Seq, ev.Cursor.Epoch, w.epoch)
		w.leave()
		w.begin(ev.Cursor.Epoch)
	}
	if ev.Cursor.Epoch != w.epoch {
		w.fail(WrongEpoch, ev.ID, "delivered at %d of epoch %x to a member in epoch %x", ev.Cursor.Seq, ev.Cursor.Epoch, w.epoch)
		return
	}
	w.seen = ev.Cursor.Seq
	i := w.log.after(ev.Cursor.Seq) - 1
	if _, late := w.behind[i]; late {
		delete(w.behind, i)
		w.fail(Disordered, ev.ID, "at %d, behind %d", ev.Cursor.Seq, w.log.seqs[w.next-1])
		return
	}
	if i < w.next {
		w.fail(Repeated, ev.ID, "at %d, behind %d", ev.Cursor.Seq, w.log.seqs[w.next-1])
		return
	}
	for ; w.next < i; w.next++ {
		w.behind[w.next] = struct{}{}
	}
	w.next++
	w.far = max(w.far, w.next)
}

// leave is the end of a life for the receiver: what it got has no holes.
func (w *walk) leave() {
	for _, i := range slices.Sorted(maps.Keys(w.behind)) {
		w.fail(Lost, w.log.messages[w.log.seqs[i]], "at %d, was skipped", w.log.seqs[i])
	}
}

// end is the end of the history: the receiver has all of the last life's log.
func (w *walk) end() {
	if !w.joined {
		w.fail(Lost, 0, "never joined")
		return
	}
	w.leave()
	if !w.last(w.epoch) {
		w.fail(Lost, 0, "did not come back to the last life")
		return
	}
	for _, seq := range w.log.seqs[w.far:] {
		w.fail(Lost, w.log.messages[seq], "at %d, behind all that came", seq)
	}
}
