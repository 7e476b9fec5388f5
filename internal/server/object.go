package server

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/parley-rt/parley"
)

// member returns the value, still encoded, of a key of a JSON object: the last
// one where the key is repeated, nil where it is missing. Its error has the code
// BadRequest and is about data that is not a JSON object.
//
// It exists because encoding/json would decode the whole object, for three times
// the cost, and takes "To_User" for "to_user".
func member(data []byte, key string) (value []byte, err error) {
	if !json.Valid(data) {
		return nil, badRequest("not JSON")
	}
	s := scanner{data: data}
	if s.next() != '{' {
		return nil, badRequest("not a JSON object")
	}
	s.at++
	for s.next() != '}' {
		if s.data[s.at] == ',' {
			s.at++
			s.next()
		}
		found := isKey(s.value(), key)
		s.next()
		s.at++ // the colon
		s.next()
		if v := s.value(); found {
			value = v
		}
	}
	return value, nil
}

// scanner walks over JSON that is known to be valid.
type scanner struct {
	data []byte
	at   int
}

// next goes to the next byte that is not white space, and returns it.
func (s *scanner) next() byte {
	for strings.IndexByte(" \t\r\n", s.data[s.at]) >= 0 {
		s.at++
	}
	return s.data[s.at]
}

// value returns the value that begins here, and goes behind it.
func (s *scanner) value() []byte {
	start := s.at
	switch s.data[s.at] {
	case '"':
		s.skipString()
	case '{', '[':
		s.skipNested()
	default:
		for s.at < len(s.data) && strings.IndexByte(" \t\r\n,]}", s.data[s.at]) < 0 {
			s.at++
		}
	}
	return s.data[start:s.at]
}

func (s *scanner) skipString() {
	for s.at++; s.data[s.at] != '"'; s.at++ {
		if s.data[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

func (s *scanner) skipNested() {
	for depth := 0; ; {
		switch s.data[s.at] {
		case '"':
			s.skipString()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if s.at++; depth == 0 {
			return
		}
	}
}

// isKey compares an encoded key with a plain one.
func isKey(encoded []byte, key string) bool {
	if plain, ok := plainString(encoded); ok {
		return string(plain) == key
	}
	var decoded string
	return json.Unmarshal(encoded, &decoded) == nil && decoded == key
}

// plainString returns what is between the quotes of a string without escapes.
func plainString(encoded []byte) (plain []byte, ok bool) {
	if encoded[0] != '"' || bytes.IndexByte(encoded, '\\') >= 0 {
		return nil, false
	}
	return encoded[1 : len(encoded)-1], true
}

// text decodes the value of a key, which is to be a string and valid UTF-8. Its
// errors have the code BadRequest.
func text(value []byte, key string) (string, error) {
	if value == nil {
		return "", badRequest(key + " is missing")
	}
	if plain, ok := plainString(value); ok {
		return string(plain), nil
	}
	var decoded *string // nil is what null becomes
	if err := json.Unmarshal(value, &decoded); err != nil || decoded == nil {
		return "", badRequest(key + " is not a string")
	}
	return *decoded, nil
}

func badRequest(message string) error {
	return &parley.Error{Code: parley.BadRequest, Message: message}
}
