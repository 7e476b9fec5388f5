package deflate

import (
	"slices"
	"strings"
)

const (
	extension      = "permessage-deflate"
	serverTakeover = "server_no_context_takeover"
	clientTakeover = "client_no_context_takeover"
	serverWindow   = "server_max_window_bits"
	clientWindow   = "client_max_window_bits"
	fullWindow     = "15" // bits of the window that is used here
)

// Negotiate answers the Sec-WebSocket-Extensions lines of a handshake (RFC 7692,
// sections 5 and 7.1) by accepting the first offer of permessage-deflate that can
// be honoured: without context takeover in either direction, with windows of 32
// KiB. ok is false where there is none; a malformed header offers nothing.
func Negotiate(lines []string) (answer string, ok bool) {
	offers, ok := parseOffers(strings.Join(lines, ","))
	if !ok {
		return "", false
	}
	for _, o := range offers {
		if o.acceptable() {
			return o.answer(), true
		}
	}
	return "", false
}

// acceptable reports whether the parameters are known, given once, valid, and
// such that they can be honoured.
func (o *offer) acceptable() bool {
	if o.name != extension {
		return false
	}
	for i, p := range o.params {
		again := slices.ContainsFunc(o.params[:i], func(q param) bool { return q.name == p.name })
		if again || !p.acceptable() {
			return false
		}
	}
	return true
}

func (p *param) acceptable() bool {
	switch p.name {
	case serverTakeover, clientTakeover:
		return !p.valued
	case serverWindow:
		return p.value == fullWindow
	case clientWindow:
		return !p.valued || slices.Contains([]string{"8", "9", "10", "11", "12", "13", "14", fullWindow}, p.value)
	}
	return false
}

// answer returns the agreement. A window that was asked for is confirmed (RFC
// 7692, section 7.1.2.1).
func (o *offer) answer() string {
	answer := extension + "; " + serverTakeover + "; " + clientTakeover
	if slices.ContainsFunc(o.params, func(p param) bool { return p.name == serverWindow }) {
		answer += "; " + serverWindow + "=" + fullWindow
	}
	return answer
}
