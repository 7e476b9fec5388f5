package parley_test

import (
	"fmt"
	"testing"
)

// badText is what no UTF-8 text may hold (RFC 3629, section 3).
var badText = map[string]string{
	"a continuation byte alone": "\x80",
	"a start byte alone":        "\xc3(",
	"FE":                        "\xfe",
	"FF":                        "\xff",
	"two bytes, overlong":       "\xc0\xaf",
	"three bytes, overlong":     "\xe0\x80\xaf",
	"four bytes, overlong":      "\xf0\x80\x80\xaf",
	"overlong NUL":              "\xc0\x80",
	"the first surrogate":       "\xed\xa0\x80",
	"the last surrogate":        "\xed\xbf\xbf",
	"a pair of surrogates":      "\xed\xa1\x8c\xed\xbe\xb4",
	"beyond U+10FFFF":           "\xf4\x90\x80\x80",
	"a start byte of F5":        "\xf5\x80\x80\x80",
	"five bytes":                "\xf8\x88\x80\x80\x80",
	"six bytes":                 "\xfc\x84\x80\x80\x80\x80",
}

// goodText is what tests of validity get wrong.
var goodText = []string{
	"Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\x7f\u0080\u07ff", "\u0800\ud7ff\ue000\ufffd\uffff", "\U00010000\U0010ffff", "\ufeff",
}

// TestConformanceText holds the server to RFC 6455, sections 5.6 and 8.1.
func TestConformanceText(t *testing.T) {
	var cases []breach
	for name, bad := range badText {
		cases = append(cases,
			breach{"8.1 " + name, text("κ" + bad + "κ"), []string{"close 1007"}},
			breach{"8.1 " + name + " in the first fragment", frame(opText, bad), []string{"close 1007"}},
			breach{"8.1 " + name + " in a later fragment", frame(opText, "κ") + frame(opMore, "a"+bad), []string{"close 1007"}},
			breach{"8.1 " + name + " in a frame that has only begun", framed(fin|opText, 2, 1000) + mask("κόσμε"+bad), []string{"close 1007"}},
			breach{"5.5.1 " + name + " as a reason", closing(1000, bad), []string{"close 1007"}},
			breach{"5.6 " + name + " in binary", frame(fin|opBinary, bad), []string{fmt.Sprintf("binary %q", bad)}},
			breach{"5.6 " + name + " in binary fragments", frame(opBinary, bad) + frame(fin|opMore, bad), []string{fmt.Sprintf("binary %q", bad+bad)}})
		for i := 1; i < len(bad); i++ {
			cases = append(cases, breach{
				fmt.Sprintf("8.1 %s, cut at %d", name, i),
				frame(opText, "a"+bad[:i]) + frame(fin|opMore, bad[i:]),
				[]string{"close 1007"},
			})
		}
	}
	for _, good := range goodText {
		want := []string{fmt.Sprintf("text %q", good)}
		cases = append(cases, breach{fmt.Sprintf("8.1 %+q", good), text(good), want})
		for i := 1; i < len(good); i++ {
			cases = append(cases,
				breach{fmt.Sprintf("8.1 %+q, cut at %d", good, i), frame(opText, good[:i]) + frame(fin|opMore, good[i:]), want})
		}
	}
	for i, char := range []string{"é", "€", "𝄞"} {
		for n := 1; n < len(char); n++ {
			name := fmt.Sprintf("of %d bytes after %d", i+2, n)
			cases = append(cases,
				breach{"8.1 a message that ends in a character " + name, text("a" + char[:n]), []string{"close 1007"}},
				breach{"8.1 fragments that end in a character " + name, frame(opText, "a") + frame(fin|opMore, char[:n]), []string{"close 1007"}},
				breach{"8.1 an empty last fragment in a character " + name, frame(opText, char[:n]) + frame(fin|opMore, ""), []string{"close 1007"}})
		}
	}
	conform(t, cases)
}
