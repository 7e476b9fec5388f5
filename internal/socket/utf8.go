package socket

import "unicode/utf8"

// utf8Check validates text that arrives in pieces (RFC 6455, section 8.1): a
// character may be split anywhere, and an invalid one is found with the piece
// that makes it so. The zero value is ready.
type utf8Check struct {
	rest [utf8.UTFMax]byte // the start of a character that the last piece cut
	n    uint8
}

// write reports whether what was written so far may be the start of valid text.
func (u *utf8Check) write(p []byte) bool {
	for u.n > 0 && len(p) > 0 {
		u.rest[u.n] = p[0]
		u.n++
		p = p[1:]
		if utf8.FullRune(u.rest[:u.n]) {
			r, size := utf8.DecodeRune(u.rest[:u.n])
			if r == utf8.RuneError && size == 1 {
				return false
			}
			u.n = 0
		}
	}
	whole := len(p) - cutLen(p)
	if !utf8.Valid(p[:whole]) {
		return false
	}
	u.n += uint8(copy(u.rest[u.n:], p[whole:]))
	return true
}

// done reports whether no character is left unfinished.
func (u *utf8Check) done() bool { return u.n == 0 }

// cutLen returns the length of an unfinished character at the end of p.
func cutLen(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if tail := p[len(p)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
