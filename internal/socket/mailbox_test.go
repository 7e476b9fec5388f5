package socket

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func newMailbox(limit int) *mailbox {
	m := &mailbox{}
	m.init(limit)
	return m
}

// named returns a post that a test knows again.
func named(name string, more bool) post { return post{reason: name, more: more} }

func names(posts []post) (names []string) {
	for _, p := range posts {
		names = append(names, p.reason)
	}
	return names
}

func mustPut(t *testing.T, m *mailbox, posts ...post) {
	t.Helper()
	for _, p := range posts {
		if err := m.put(t.Context(), p); err != nil {
			t.Error(err)
		}
	}
}

// woken reports whether the loop was woken since the last call.
func (m *mailbox) woken() bool {
	select {
	case <-m.wake:
		return true
	default:
		return false
	}
}

// taken returns what a mailbox gives.
func taken(m *mailbox) []post {
	posts, _ := m.take(nil)
	return posts
}

// TestMailboxHoldsBatch keeps the posts of a batch back until its last.
func TestMailboxHoldsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(1 << 20)
		mustPut(t, m, named("a", true), named("b", true))
		if got := taken(m); len(got) > 0 || m.woken() {
			t.Errorf("took %q before the end of the batch", names(got))
		}
		mustPut(t, m, named("c", false))
		if got := names(taken(m)); !slices.Equal(got, []string{"a", "b", "c"}) || !m.woken() {
			t.Errorf("took %q, want the batch", got)
		}
	})
}

// TestMailboxHoldEnds lets go of a batch whose end does not come.
func TestMailboxHoldEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(1 << 20)
		for round := range 3 {
			mustPut(t, m, named("begins", true))
			time.Sleep(holdTime / 2)
			mustPut(t, m, named("ends", false))
			if got := taken(m); len(got) != 2 || !m.woken() {
				t.Errorf("round %d: took %q", round, names(got))
			}
			start := time.Now() // the hold of the batch before is no matter any more
			mustPut(t, m, named("a", true))
			await(t, m.wake, "the end of the hold")
			if waited := time.Since(start); waited != holdTime {
				t.Errorf("round %d: held for %v, want %v", round, waited, holdTime)
			}
			if got := names(taken(m)); !slices.Equal(got, []string{"a"}) {
				t.Errorf("round %d: took %q", round, got)
			}
		}
	})
}

// TestMailboxTakesReadyPart takes what came before a batch that goes on.
func TestMailboxTakesReadyPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(10 * postCost)
		mustPut(t, m, named("a", false), named("b", true))
		if got := names(taken(m)); !slices.Equal(got, []string{"a"}) {
			t.Errorf("took %q, want a", got)
		}
		m.release()
		if got := names(taken(m)); !slices.Equal(got, []string{"b"}) {
			t.Errorf("took %q, want b", got)
		}
		if !m.room.TryAcquire(10 * postCost) {
			t.Error("an empty mailbox has not all of its room")
		}
	})
}

// TestMailboxBound has senders wait for room, first come first served, or until
// their contexts end.
func TestMailboxBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(2 * postCost)
		mustPut(t, m, named("a", true), named("b", true)) // a batch as large as the mailbox
		ctx, cancel := context.WithCancelCause(t.Context())
		failed := make(chan error)
		go func() { failed <- m.put(ctx, named("too late", false)) }()
		synctest.Wait()
		for i := range 3 {
			go mustPut(t, m, named(fmt.Sprint(i), false))
			synctest.Wait()
		}
		if !m.woken() {
			t.Error("a full mailbox does not wake its loop")
		}
		cancel(errTest)
		if err := <-failed; err != context.Canceled {
			t.Errorf("a put without room returned %v, want %v", err, context.Canceled)
		}
		for _, want := range [][]string{{"a", "b"}, {"0", "1"}, {"2"}} {
			if got := slices.Sorted(slices.Values(names(taken(m)))); !slices.Equal(got, want) {
				t.Errorf("took %q, want %q", got, want)
			}
			synctest.Wait()
		}
	})
}

// TestMailboxLargePost lets a post that is larger than the mailbox have all of
// it.
func TestMailboxLargePost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(1)
		mustPut(t, m, post{data: make([]byte, 1000)})
		go mustPut(t, m, named("next", false))
		synctest.Wait()
		for _, want := range []int{1, 1, 0} {
			if got := taken(m); len(got) != want {
				t.Errorf("took %d posts, want %d", len(got), want)
			}
			synctest.Wait()
		}
	})
}

// TestMailboxClose turns away those that wait, and those that come.
func TestMailboxClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(1)
		mustPut(t, m, named("a", true))
		failed := make(chan error, 3)
		for range cap(failed) {
			go func() { failed <- m.put(t.Context(), named("b", false)) }()
		}
		synctest.Wait()
		if got := names(m.close()); !slices.Equal(got, []string{"a"}) {
			t.Errorf("close returned %q, want what waited", got)
		}
		for range cap(failed) {
			if err := <-failed; err != ErrClosed {
				t.Errorf("put returned %v, want %v", err, ErrClosed)
			}
		}
		if err := m.put(t.Context(), named("c", true)); err != ErrClosed {
			t.Errorf("put returned %v, want %v", err, ErrClosed)
		}
		m.release()
		if got := taken(m); len(got) > 0 {
			t.Errorf("took %q of a closed mailbox", names(got))
		}
	})
}
