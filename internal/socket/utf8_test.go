package socket

import (
	"testing"
	"unicode/utf8"
)

// TestUTF8CheckFindsEarly gives text byte by byte: the byte that makes it
// invalid is the one that is refused.
func TestUTF8CheckFindsEarly(t *testing.T) {
	t.Parallel()
	for text, at := range map[string]int{
		"\x80": 0, "a\xffb": 1, "\xc0\xaf": 0, "\xc3(": 1, "\xe0\x80\xaf": 1, "\xed\xa0\x80": 1,
		"\xf0\x80\x80\xaf": 1, "\xf4\x90\x80\x80": 1, "\xf5\x80": 0, "\xe2\x82(": 2, "κόσμε\xed\xa0": len("κόσμε") + 1,
	} {
		var u utf8Check
		for i := range len(text) {
			if ok := u.write([]byte{text[i]}); ok != (i < at) {
				t.Errorf("%q: byte %d is taken: %v, want %d to be refused", text, i, ok, at)
				break
			} else if !ok {
				break
			}
		}
	}
}

// TestUTF8CheckSplits cuts valid text in three at every place.
func TestUTF8CheckSplits(t *testing.T) {
	t.Parallel()
	const text = "aé€𝄞\x00\U0010ffff€"
	for i := range len(text) + 1 {
		for j := i; j <= len(text); j++ {
			var u utf8Check
			for _, piece := range []string{text[:i], text[i:j], text[j:]} {
				if !u.write([]byte(piece)) {
					t.Fatalf("cut at %d and %d: %q is refused", i, j, piece)
				}
			}
			if !u.done() {
				t.Fatalf("cut at %d and %d: not done", i, j)
			}
			var cut utf8Check
			cut.write([]byte(text[:j]))
			if want := utf8.ValidString(text[:j]); cut.done() != want {
				t.Fatalf("after %d bytes done is %v, want %v", j, cut.done(), want)
			}
		}
	}
}
