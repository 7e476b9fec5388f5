package layertest

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rt/parley"
)

// follower gets the messages of an address as a connection of a hub does: pages
// of the log until it is at the head, then what is handed over, and pages again
// where that does not follow.
type follower struct {
	h       *hub
	of      parley.Address
	mailbox chan parley.Envelope
	lost    atomic.Bool // the mailbox was full
	reread  atomic.Int64

	at  parley.Cursor
	got []string
}

// offer takes a message as Deliver does: it does not wait.
func (f *follower) offer(e parley.Envelope) {
	select {
	case f.mailbox <- e:
	default:
		f.lost.Store(true)
	}
}

// follow runs until n messages came.
func (f *follower) follow(n int) {
	deadline := time.After(patience)
	for f.read(); len(f.got) < n; {
		select {
		case e := <-f.mailbox:
			f.take(e)
		case <-deadline:
			f.h.t.Errorf("%d of %d messages came, the last one at %v", len(f.got), n, f.at)
			return
		}
		if f.lost.Swap(false) {
			f.read()
		}
	}
}

func (f *follower) take(e parley.Envelope) {
	switch {
	case e.Cursor.Epoch == f.at.Epoch && e.Cursor.Seq <= f.at.Seq:
	case e.Cursor.Epoch == f.at.Epoch && e.Prev <= f.at.Seq:
		f.got, f.at = append(f.got, string(e.Data)), e.Cursor
	default:
		f.read()
	}
}

// read reads to the head.
func (f *follower) read() {
	f.reread.Add(1)
	for more := true; more; {
		p := f.h.readAfter(f.of, f.at, parley.PageLimit{Messages: 7, Bytes: 1 << 20})
		if p.Missed {
			f.h.t.Errorf("the log cannot go on from %v", f.at)
		}
		f.got = append(f.got, texts(p.Messages)...)
		f.at, more = p.Cursor, p.More
	}
}

// testFollow has followers begin at any time while others append, and get all
// messages, in the order of the log, none twice.
func testFollow(r *rig) {
	const goroutines, each, followers = 4, 500, 12
	to := parley.User("u")
	appender, hubs := r.hub(), []*hub{r.hub(), r.hub()}
	var mu sync.Mutex
	following := make([][]*follower, len(hubs))
	for i, h := range hubs {
		h.onDeliver = func(e parley.Envelope) {
			mu.Lock()
			defer mu.Unlock()
			for _, f := range following[i] {
				f.offer(e)
			}
		}
	}
	var all, appenders sync.WaitGroup
	progress := make(chan struct{}, goroutines*each)
	for g := range goroutines {
		appenders.Go(func() {
			from := []*hub{appender, hubs[0]}[g%2]
			for i := range each {
				if res := from.await(from.start(r.Context(), message(to, fmt.Sprintf("%d-%d", g, i)))); res.err != nil {
					r.Error(res.err)
				}
				progress <- struct{}{}
			}
		})
	}
	var started []*follower
	for i := range followers {
		for range goroutines * each / (followers + 1) {
			r.within("accepting a message", progress)
		}
		h := hubs[i%2]
		f := &follower{h: h, of: to, mailbox: make(chan parley.Envelope, 1<<(i/2))}
		started = append(started, f)
		h.subscribe(to)
		mu.Lock()
		following[i%2] = append(following[i%2], f)
		mu.Unlock()
		all.Go(func() { f.follow(goroutines * each) })
	}
	r.join(&appenders)
	r.join(&all)
	want := texts(appender.readAll(to, parley.Cursor{}))
	if len(want) != goroutines*each {
		r.Errorf("the log has %d messages", len(want))
	}
	for _, f := range started {
		compare(r, f, want)
	}
}

// compare holds what a follower got to the log.
func compare(r *rig, f *follower, want []string) {
	for i := range min(len(f.got), len(want)) {
		if f.got[i] != want[i] {
			r.Errorf("message %d of a follower is %s, want %s", i, f.got[i], want[i])
			return
		}
	}
	if len(f.got) != len(want) {
		r.Errorf("a follower got %d messages, want %d", len(f.got), len(want))
	}
}

// testFollowTrimmed reads while the log is trimmed: what was not there any more
// is told, and only that.
func testFollowTrimmed(r *rig) {
	const n, keep = 3000, 40
	retention := plenty
	retention.Messages = keep
	h, to := r.hubKeeping(retention), parley.Group("g")
	var appender sync.WaitGroup
	appender.Go(func() {
		for i := range n {
			if res := h.await(h.start(r.Context(), message(to, fmt.Sprint(i)))); res.err != nil {
				r.Error(res.err)
			}
		}
	})
	reader, at, next := r.hubKeeping(retention), parley.Cursor{}, 0
	r.eventually("reading the last message", func() bool {
		p := reader.readAfter(to, at, parley.PageLimit{Messages: 7, Bytes: 1 << 20})
		for k, e := range p.Messages {
			i, _ := strconv.Atoi(string(e.Data))
			if i < next || i > next && (k > 0 || !p.Missed && !at.IsZero()) {
				r.Errorf("message %d is number %d of a page behind %d, Missed: %v", i, k, next-1, p.Missed)
			}
			next = i + 1
		}
		if p.Cursor.Seq < at.Seq {
			r.Errorf("a page behind %v ends at %v", at, p.Cursor)
		}
		at = p.Cursor
		return next == n
	})
	r.join(&appender)
	if p := reader.readAfter(to, parley.Cursor{}, manyMessages); len(p.Messages) < keep || p.Missed {
		r.Errorf("%d messages are kept, want %d", len(p.Messages), keep)
	}
}
