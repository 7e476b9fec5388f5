package parley_test

import (
	"fmt"
	"testing"

	"github.com/parley-rt/parley"
)

// TestHubsOfOtherRules has two hubs of one layer of which only one keeps an
// address: the other's connections get its messages live, and it is none the worse
// for those that find no room in its mailboxes.
func TestHubsOfOtherRules(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		layer := parley.NewMemoryLayer()
		keeps := k.hub(t, &parley.Options{Layer: layer, Keep: keepAll()})
		other := k.hub(t, &parley.Options{Layer: layer, Keep: []parley.KeepRule{}, Limits: parley.Limits{MailboxBytes: 1}})
		s := newSite(t, k.transport, other, func() parley.Consumer { return consumer{connect: joinEveryone} })
		w := s.open(t)
		sendNumbers(t, keeps, parley.Everyone, 0, 100)
		if err := other.Send(t.Context(), parley.Everyone, parley.Text("end")); err != nil {
			t.Fatal(err)
		}
		got := w.next()
		for last := -1; got != `text "end"`; got = w.next() {
			var n int
			if _, err := fmt.Sscanf(got, "text %q", new(string)); err != nil {
				t.Fatal(got)
			}
			if _, err := fmt.Sscanf(got, `text "%d"`, &n); err != nil || n <= last {
				t.Fatalf("%s came after %d", got, last)
			}
			last = n
		}
	})
}
