package layertest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/parley-rt/parley"
)

// testKey appends a message twice.
func testKey(r *rig) {
	h, to, other := r.hub(), parley.Group("g"), parley.Group("h")
	r.hub().subscribe(to)
	h.subscribe(to)
	first := h.append(keyed(to, "a", "key"))
	h.append(message(to, "b"))
	for _, from := range []*hub{h, r.hubs[0], r.hub()} {
		again := from.append(keyed(to, "a", "key"))
		if again.Cursor != first.Cursor || !again.Time.Equal(first.Time) {
			r.Errorf("a repeated message has the place %v, want %v", again, first)
		}
	}
	if _, err := h.try(keyed(to, "b", "key")); !hasCode(err, parley.Conflict) {
		r.Errorf("other data under the same key: %v", err)
	}
	binary := keyed(to, "a", "key")
	binary.Binary = true
	if _, err := h.try(binary); !hasCode(err, parley.Conflict) {
		r.Errorf("binary data under the key of a text: %v", err)
	}
	h.append(keyed(to, "a", "key2"))
	h.append(keyed(other, "other", "key"))
	h.append(keyed(parley.User("g"), "user", "key"))
	h.append(message(to, "last"))
	want := []string{"a", "b", "a", "last"}
	h.checkTexts("the log", h.readAll(to, parley.Cursor{}), want...)
	h.checkTexts("what was handed over", h.waitHanded(to, len(want)), want...)
	h.checkTexts("the log of another address", h.readAll(other, parley.Cursor{}), "other")
	h.checkTexts("the log of a user", h.readAll(parley.User("g"), parley.Cursor{}), "user")
}

// testKeyConcurrent appends each message from many goroutines at once.
func testKeyConcurrent(r *rig) {
	const keys, repeats = 50, 6
	hubs, to := []*hub{r.hub(), r.hub()}, parley.User("u")
	hubs[0].subscribe(to)
	results := make([][repeats]<-chan result, keys)
	var appenders sync.WaitGroup
	for i := range repeats {
		appenders.Go(func() {
			for k := range keys {
				text := fmt.Sprint(k)
				if i == repeats-1 && k%2 == 1 {
					text = "other"
				}
				results[k][i] = hubs[i%2].start(r.Context(), keyed(to, text, fmt.Sprint(k)))
			}
		})
	}
	r.join(&appenders)
	kept := make(map[parley.Cursor]string)
	for k := range keys {
		accepted := make(map[string]parley.Sent)
		for i := range repeats {
			text := fmt.Sprint(k)
			if i == repeats-1 && k%2 == 1 {
				text = "other"
			}
			res := hubs[0].await(results[k][i])
			if first, ok := accepted[text]; ok && (res.err != nil || res.Cursor != first.Cursor || !res.Time.Equal(first.Time)) {
				r.Errorf("key %d was accepted as %v, and then as %v, %v", k, first, res.Sent, res.err)
			}
			switch {
			case res.err == nil:
				accepted[text] = res.Sent
				kept[res.Cursor] = text
			case !hasCode(res.err, parley.Conflict):
				r.Errorf("key %d: %v", k, res.err)
			}
		}
		if len(accepted) != 1 {
			r.Errorf("under key %d there was accepted %v", k, accepted)
		}
	}
	log := hubs[0].readAll(to, parley.Cursor{})
	if len(log) != keys || len(kept) != keys {
		r.Errorf("the log has %d messages at %d places, want %d", len(log), len(kept), keys)
	}
	for _, e := range log {
		if text, ok := kept[e.Cursor]; !ok || text != string(e.Data) {
			r.Errorf("%q is in the log at %v, where %q was accepted", e.Data, e.Cursor, text)
		}
	}
	hubs[0].checkTexts("what was handed over", hubs[0].waitHanded(to, keys), texts(log)...)
}

// testKeyBytes has keys of any bytes be each their own.
func testKeyBytes(r *rig) {
	h := r.hub()
	long := strings.Repeat("k", 512)
	keys := []string{"a", "A", "a\x00", "\x00a", "a\x00b", "a.b", "a/b", "*", ">", "a\n", "\xff", "\xfe\x00", " ", "a ", "g\x00a", long, long[1:]}
	for _, to := range []parley.Address{parley.Group("a"), parley.Group("ab"), parley.User("a"), parley.Everyone} {
		for _, key := range keys {
			h.append(keyed(to, key, key))
		}
		for _, key := range keys {
			h.append(keyed(to, key, key))
		}
		h.checkTexts("the log", h.readAll(to, parley.Cursor{}), keys...)
	}
	if _, err := h.try(keyed(parley.Everyone, "long", long+"k")); !hasCode(err, parley.BadRequest) {
		r.Errorf("a key of 513 bytes: %v", err)
	}
}
