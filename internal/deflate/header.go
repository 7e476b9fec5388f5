package deflate

import "strings"

// offer is one extension that a client offers, with its parameters.
type offer struct {
	name   string
	params []param
}

type param struct {
	name, value string
	valued      bool
}

// parseOffers parses the Sec-WebSocket-Extensions header (RFC 6455, section
// 9.1), or reports that it is malformed.
func parseOffers(header string) ([]offer, bool) {
	var offers []offer
	s := scanner(header)
	for {
		for s.take(',') {
		}
		if s == "" {
			return offers, true
		}
		o, ok := s.offer()
		if !ok || s != "" && s[0] != ',' {
			return nil, false
		}
		offers = append(offers, o)
	}
}

// scanner is the rest of a header.
type scanner string

func (s *scanner) offer() (o offer, ok bool) {
	if o.name, ok = s.token(); !ok {
		return o, false
	}
	for s.take(';') {
		p, ok := s.param()
		if !ok {
			return o, false
		}
		o.params = append(o.params, p)
	}
	return o, true
}

func (s *scanner) param() (p param, ok bool) {
	if p.name, ok = s.token(); !ok || !s.take('=') {
		return p, ok
	}
	p.valued = true
	if s.take('"') {
		p.value, ok = s.quoted()
	} else {
		p.value, ok = s.token()
	}
	return p, ok
}

// take takes a character, with the space around it, if it is next.
func (s *scanner) take(c byte) bool {
	s.space()
	if *s == "" || (*s)[0] != c {
		return false
	}
	*s = (*s)[1:]
	if c != '"' {
		s.space()
	}
	return true
}

func (s *scanner) space() { *s = scanner(strings.TrimLeft(string(*s), " \t")) }

// token takes a token, with the space behind it.
func (s *scanner) token() (string, bool) {
	n := 0
	for n < len(*s) && isTokenByte((*s)[n]) {
		n++
	}
	token := string((*s)[:n])
	*s = (*s)[n:]
	s.space()
	return token, n > 0
}

// quoted takes the rest of a quoted string, which holds a token once its
// backslashes are taken out.
func (s *scanner) quoted() (string, bool) {
	var value []byte
	for i := 0; i < len(*s); i++ {
		c := (*s)[i]
		if c == '"' {
			*s = (*s)[i+1:]
			s.space()
			return string(value), len(value) > 0
		}
		if c == '\\' && i+1 < len(*s) {
			i++
			c = (*s)[i]
		}
		if !isTokenByte(c) {
			break
		}
		value = append(value, c)
	}
	return "", false
}

// isTokenByte reports whether a token may hold c (RFC 9110, section 5.6.2).
func isTokenByte(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		return true
	}
	return c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
