package deflate_test

import (
	"strings"
	"testing"

	"github.com/parley-rt/parley/internal/deflate"
)

const (
	agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	full   = agreed + "; server_max_window_bits=15"
)

// TestNegotiate holds answers to offers to RFC 7692, sections 5 and 7.1, and RFC
// 6455, section 9.1. "" is no answer.
func TestNegotiate(t *testing.T) {
	t.Parallel()
	for offer, want := range map[string]string{
		"":                   "",
		"permessage-deflate": agreed,
		"permessage-deflate; client_max_window_bits":                               agreed, // browsers
		"permessage-deflate; client_max_window_bits; server_no_context_takeover":   agreed,
		"permessage-deflate;server_no_context_takeover;client_no_context_takeover": agreed,
		"\tpermessage-deflate ;\tclient_max_window_bits = 10 ":                     agreed,

		"permessage-deflate; client_max_window_bits=8":       agreed,
		"permessage-deflate; client_max_window_bits=15":      agreed,
		`permessage-deflate; client_max_window_bits="10"`:    agreed,
		`permessage-deflate; client_max_window_bits="1\0"`:   agreed,
		"permessage-deflate; client_max_window_bits=7":       "",
		"permessage-deflate; client_max_window_bits=16":      "",
		"permessage-deflate; client_max_window_bits=08":      "",
		"permessage-deflate; client_max_window_bits=+8":      "",
		"permessage-deflate; client_max_window_bits=ten":     "",
		"permessage-deflate; server_max_window_bits=15":      full,
		`permessage-deflate; server_max_window_bits="15"`:    full,
		"permessage-deflate; server_max_window_bits=14":      "",
		"permessage-deflate; server_max_window_bits=8":       "",
		"permessage-deflate; server_max_window_bits":         "",
		"permessage-deflate; server_max_window_bits=16":      "",
		"permessage-deflate; server_no_context_takeover=1":   "",
		`permessage-deflate; client_no_context_takeover="1"`: "",

		"permessage-deflate; unknown":                                                  "",
		"permessage-deflate; unknown=1":                                                "",
		"permessage-deflate; Client_Max_Window_Bits":                                   "",
		"permessage-deflate; client_max_window_bits; client_max_window_bits":           "",
		"permessage-deflate; client_max_window_bits=9; client_max_window_bits=10":      "",
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover":   "",
		"permessage-deflate; server_max_window_bits=15; server_max_window_bits=15":     "",
		"x-webkit-deflate-frame":                                                       "",
		"permessage-deflate2":                                                          "",
		"permessage-bzip2, permessage-deflate":                                         agreed,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":            agreed,
		"permessage-deflate; server_max_window_bits=15, permessage-deflate":            full,
		"permessage-deflate, permessage-deflate; server_max_window_bits=15":            agreed,
		"permessage-deflate; unknown, permessage-deflate; client_max_window_bits":      agreed,
		`x; a="permessage\-deflate"; b=c, permessage-deflate`:                          agreed,
		", ,permessage-deflate,, ":                                                     agreed,
		"permessage-deflate; server_max_window_bits=9, x,permessage-deflate; nonsense": "",

		// Malformed, and so nothing is offered.
		"permessage-deflate;":                                      "",
		"permessage-deflate; ;client_max_window_bits":              "",
		"; permessage-deflate":                                     "",
		"permessage-deflate; =1":                                   "",
		"permessage-deflate; client_max_window_bits=":              "",
		`permessage-deflate; client_max_window_bits=""`:            "",
		`permessage-deflate; client_max_window_bits="10`:           "",
		`permessage-deflate; client_max_window_bits="1 0"`:         "",
		`permessage-deflate; client_max_window_bits="10\`:          "",
		`permessage-deflate; client_max_window_bits="10"x`:         "",
		"permessage-deflate client_max_window_bits":                "",
		"permessage-deflate; client_max_window_bits=1 0":           "",
		"permessage-deflate/1":                                     "",
		`"permessage-deflate"`:                                     "",
		"permessage-deflate\x00":                                   "",
		"permessage-deflate, \xff":                                 "",
		"permessage-deflate, (comment)":                            "",
		`permessage-deflate, x; a="unfinished, permessage-deflate`: "",
	} {
		if got, ok := deflate.Negotiate([]string{offer}); got != want || ok != (want != "") {
			t.Errorf("%q is answered by %q, %v, want %q", offer, got, ok, want)
		}
	}
}

// TestNegotiateLines takes several lines for one list.
func TestNegotiateLines(t *testing.T) {
	t.Parallel()
	if got, ok := deflate.Negotiate([]string{"permessage-deflate; unknown", "permessage-deflate"}); got != agreed || !ok {
		t.Errorf("got %q", got)
	}
	if got, ok := deflate.Negotiate([]string{"permessage-deflate", "\x7f"}); ok {
		t.Errorf("got %q of a malformed header", got)
	}
	if got, ok := deflate.Negotiate(nil); ok {
		t.Errorf("got %q of no header", got)
	}
}

// TestNegotiateLong takes time in proportion to the header.
func TestNegotiateLong(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"permessage-deflate,", ",", "permessage-deflate; a,", "; a", " ", `x; a="\x",`} {
		long := "permessage-deflate; server_max_window_bits=9 " + strings.Repeat(piece, 1<<20/len(piece))
		deflate.Negotiate([]string{long})
	}
}
