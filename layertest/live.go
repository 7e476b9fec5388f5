package layertest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parley-rt/parley"
)

// testSubscribe counts subscriptions.
func testSubscribe(r *rig) {
	h, other := r.hub(), r.hub()
	to, elsewhere := parley.User("u"), parley.User("v")
	h.subscribe(to)
	h.subscribe(to)
	h.subscribe(elsewhere)
	h.link.Unsubscribe(to)
	sent := other.appendTexts(to, numbers(1, 20)...)
	h.checkTexts("what was handed over", h.waitHanded(to, 20), numbers(1, 20)...)

	h.link.Unsubscribe(to)
	other.appendTexts(to, numbers(21, 40)...)
	h.subscribe(to)
	sent = append(sent, other.appendTexts(to, numbers(41, 60)...)...)
	h.wait("handing over what was sent after Subscribe", func() bool {
		handed := h.handed[to]
		return len(handed) >= 40 && slices.Equal(texts(handed[len(handed)-20:]), numbers(41, 60))
	})
	if got := h.readAll(to, sent[39].Cursor); len(got) != 0 {
		r.Errorf("behind the last message there is %q", texts(got))
	}
	other.append(message(elsewhere, "elsewhere"))
	h.checkTexts("what was handed over elsewhere", h.waitHanded(elsewhere, 1), "elsewhere")
	r.subscribeOften(other)
}

// subscribeOften has nothing missing that is appended right after Subscribe.
func (r *rig) subscribeOften(other *hub) {
	for i := range 50 {
		h, to := r.hub(), parley.Group(fmt.Sprint(i%5))
		h.subscribe(to)
		sent := other.append(message(to, "now"))
		h.wait("handing over a message after Subscribe", func() bool {
			return slices.ContainsFunc(h.handed[to], func(e parley.Envelope) bool { return e.Cursor == sent.Cursor })
		})
		h.close()
	}
}

// testSubscribeDuringAppend subscribes while messages are on their way, and appends
// no more: what is not behind the head that is read then is handed over.
func testSubscribeDuringAppend(r *rig) {
	const rounds, burst = 200, 3
	h, other := r.hub(), r.hub()
	for i := range rounds {
		to := parley.Group(fmt.Sprint(i % 5))
		var appends []<-chan result
		for k := range burst {
			appends = append(appends, other.start(r.Context(), message(to, fmt.Sprintf("%d-%d", i, k))))
		}
		h.subscribe(to)
		head := h.head(to)
		var last parley.Sent
		for _, c := range appends {
			res := other.await(c)
			if res.err != nil {
				r.Fatal(res.err)
			}
			last = res.Sent
		}
		if want := h.readAll(to, head); len(want) > 0 {
			h.wait("handing over what is behind the head", func() bool {
				handed := h.handed[to]
				return len(handed) > 0 && handed[len(handed)-1].Cursor == last.Cursor
			})
			handed := h.waitHanded(to, len(want))
			h.checkTexts("what is behind the head", handed[len(handed)-len(want):], texts(want)...)
		}
		h.link.Unsubscribe(to)
	}
}

// testEphemeral has messages that are not kept reach all hubs, and no log.
func testEphemeral(r *rig) {
	hubs, to := []*hub{r.hub(), r.hub(), r.hub()}, parley.Group("g")
	for _, h := range hubs {
		h.subscribe(to)
	}
	kept := hubs[0].append(message(to, "kept"))
	const n = 100
	for i := range n {
		e := message(to, fmt.Sprint(i+1))
		e.From, e.Except, e.Binary = parley.User("u"), parley.ConnID{1}, i%2 == 0
		if err := hubs[0].link.Send(r.Context(), e); err != nil {
			r.Fatalf("Send: %v", err)
		}
	}
	for _, h := range hubs {
		passed := h.waitPassed(n)
		h.checkTexts("what reached a hub", passed, numbers(1, n)...)
		if e := passed[1]; e.From != parley.User("u") || e.Except != (parley.ConnID{1}) || e.Binary || e.To != to {
			r.Errorf("got %+v", e)
		}
		h.checkTexts("the log", h.readAll(to, parley.Cursor{}), "kept")
		h.checkTexts("what was kept and handed over", h.waitHanded(to, 1), "kept")
	}
	if got := hubs[1].head(to); got != kept.Cursor {
		r.Errorf("the head is %v, want %v", got, kept.Cursor)
	}
}

// testMembers asks all hubs.
func testMembers(r *rig) {
	hubs, of := []*hub{r.hub(), r.hub(), r.hub()}, parley.Group("g")
	check := func(h *hub, want ...string) {
		r.eventually(fmt.Sprintf("having the members %q", want), func() bool {
			var got []string
			for m, err := range h.link.Members(r.Context(), of) {
				if err != nil {
					r.Fatalf("Members: %v", err)
				}
				got = append(got, m.User)
			}
			slices.Sort(got)
			online, err := h.link.Online(r.Context(), of)
			if err != nil {
				r.Fatalf("Online: %v", err)
			}
			return slices.Equal(slices.Compact(got), want) && online == (len(want) > 0)
		})
	}
	check(hubs[0])
	hubs[0].setMembers(parley.Member{User: "a"}, parley.Member{User: "b"})
	hubs[2].setMembers(parley.Member{User: "c"})
	for _, h := range hubs {
		h.subscribe(of)
		check(h, "a", "b", "c")
	}
	for range hubs[1].link.Members(r.Context(), of) {
		break
	}
	hubs[2].close()
	check(hubs[1], "a", "b")
	for _, err := range hubs[2].link.Members(r.Context(), of) {
		if !errors.Is(err, parley.ErrClosed) {
			r.Errorf("the members of a closed link: %v", err)
		}
	}
}
