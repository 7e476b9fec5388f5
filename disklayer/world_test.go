package disklayer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rt/parley"
)

// world is what the users of a store know of it, over several power cuts.
type world struct {
	hub      *hub
	link     parley.Link
	working  sync.WaitGroup
	events   atomic.Int64
	began    int64 // events when the run began
	troubles int   // runs in which the disk failed

	mu     sync.Mutex // guards what follows
	frozen bool       // nothing happens any more that counts
	logs   map[parley.Address]*known
	wrong  string // the first thing that is wrong
	serial int
	epoch  uint64
}

// known is what is known of a log.
type known struct {
	sent map[string]bool
	safe map[uint64]string // accepted, read or delivered
	keys map[string]uint64 // places of messages with a key; the key is the text
}

func newWorld() *world {
	w := &world{hub: &hub{keep: keepAll}, logs: map[parley.Address]*known{}}
	w.hub.deliver = func(e parley.Envelope) { w.saw(e.To, e.Cursor, string(e.Data), "delivered") }
	for i := range 5 {
		w.logs[parley.User(fmt.Sprint(i))] = &known{map[string]bool{}, map[uint64]string{}, map[string]uint64{}}
	}
	return w
}

func (w *world) failure() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wrong
}

// isWrong notes what is wrong. Called with mu held.
func (w *world) isWrong(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
	}
}

// saw notes that a message is safe.
func (w *world) saw(a parley.Address, at parley.Cursor, text, how string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frozen {
		return
	}
	w.events.Add(1)
	log := w.logs[a]
	if before, ok := log.safe[at.Seq]; ok && before != text || at.Epoch != w.epoch {
		w.isWrong("%v of %v is %s as %.20q, and was %.20q; epoch %d", at, a, how, text, before, w.epoch)
	}
	if !log.sent[text] {
		w.isWrong("%v of %v is %s as %.20q, which nobody sent", at, a, how, text)
	}
	log.safe[at.Seq] = text
	if isKeyed(text) {
		if seq, ok := log.keys[text]; ok && seq != at.Seq {
			w.isWrong("the key of %v of %v was used at %d too", at, a, seq)
		}
		log.keys[text] = at.Seq
	}
}

func isKeyed(text string) bool { return strings.HasPrefix(text, "key") }

// begin checks a store that was opened.
func (w *world) begin(l *Layer) {
	w.mu.Lock()
	w.frozen = false
	w.mu.Unlock()
	w.began = w.events.Load()
	w.link = l.Attach(w.hub)
	for a := range w.logs {
		w.check(a)
	}
}

// check holds a log to what is known of it.
func (w *world) check(a parley.Address) {
	var kept []parley.Envelope
	var at parley.Cursor
	for more := true; more; {
		page, err := w.link.ReadAfter(context.Background(), a, at, parley.PageLimit{Messages: 50, Bytes: 1 << 20})
		if err != nil {
			return // its disk is in trouble again
		}
		kept, at, more = append(kept, page.Messages...), page.Cursor, page.More
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.epoch == 0 {
		w.epoch = at.Epoch
	}
	if at.Epoch != w.epoch {
		w.isWrong("the epoch was %d and is %d", w.epoch, at.Epoch)
	}
	w.checkLog(a, kept, at.Seq)
}

func (w *world) checkLog(a parley.Address, kept []parley.Envelope, head uint64) {
	log := w.logs[a]
	there, next := map[uint64]string{}, map[string]int{}
	once := map[string]bool{}
	for i, e := range kept {
		text := string(e.Data)
		there[e.Cursor.Seq] = text
		if i > 0 && (e.Cursor.Seq != kept[i-1].Cursor.Seq+1 || e.Time.Before(kept[i-1].Time)) || e.Prev != e.Cursor.Seq-1 {
			w.isWrong("behind %v of %v comes %v", kept[max(i-1, 0)].Cursor, a, e.Cursor)
		}
		if !log.sent[text] || once[text] {
			w.isWrong("%v of %v is %.20q: sent %v, twice %v", e.Cursor, a, text, log.sent[text], once[text])
		}
		once[text] = true
		var sender, number int
		if _, err := fmt.Sscanf(text, "%d/%d", &sender, &number); err == nil {
			if from := fmt.Sprint(sender); number < next[from] {
				w.isWrong("%v of %v is %.20q, behind number %d", e.Cursor, a, text, next[from]-1)
			} else {
				next[from] = number + 1
			}
		}
	}
	for seq, text := range log.safe {
		if trimmed := seq+uint64(w.hub.keep.Messages) <= head; !trimmed && there[seq] != text {
			w.isWrong("%d of %v was %.20q, and is %.20q", seq, a, text, there[seq])
		}
	}
}

// sender appends until the run ends.
func (w *world) sender(u *use, g int, random *rand.Rand) {
	room := make(chan struct{}, 8)
	var repeats []string
	for {
		select {
		case <-u.stopped:
			return
		case room <- struct{}{}:
		}
		a := parley.User(fmt.Sprint(random.IntN(5)))
		w.mu.Lock()
		w.serial++
		text, key := fmt.Sprintf("%d/%d %s", g, w.serial, strings.Repeat("x", random.IntN(2000))), ""
		switch random.IntN(10) {
		case 0, 1:
			text = "key " + a.Name() + " " + text
			repeats = append(repeats, text)
			key = text
		case 2:
			if n := len(repeats); n > 0 {
				text = repeats[max(0, n-1-random.IntN(20))]
				a, key = parley.User(strings.Fields(text)[1]), text
			}
		}
		w.logs[a].sent[text] = true
		w.mu.Unlock()
		if len(key) > 100 {
			key = key[:100]
		}
		e := parley.Envelope{Message: parley.Message{To: a, Data: []byte(text)}, Key: key}
		err := w.link.Append(context.Background(), e, func(sent parley.Sent, err error) {
			if err == nil {
				w.saw(a, sent.Cursor, text, "accepted")
			}
			<-room
		})
		if err != nil {
			<-room
			runtime.Gosched()
		}
	}
}

// reader reads all logs until the run ends.
func (w *world) reader(u *use) {
	at := map[parley.Address]parley.Cursor{}
	for {
		for a := range w.logs {
			// A store that failed is not followed by another one while its disk hangs.
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			page, err := w.link.ReadAfter(ctx, a, at[a], parley.PageLimit{Messages: 20, Bytes: 1 << 20})
			cancel()
			if err != nil {
				continue
			}
			at[a] = page.Cursor
			for _, e := range page.Messages {
				w.saw(a, e.Cursor, string(e.Data), "read")
			}
		}
		select {
		case <-u.stopped:
			return
		case u.passes <- struct{}{}:
		default:
			runtime.Gosched()
		}
	}
}
