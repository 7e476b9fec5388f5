package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/parley-rt/parley"
)

// member returns the value, still encoded, of a key of a JSON object, nil where it is
// missing. Its error has the code BadRequest and is about data that is not a JSON object,
// or about a key that is repeated: others would take it for another value.
//
// It exists because encoding/json would decode the whole object, for three times
// the cost, takes "To_User" for "to_user", and does not tell of repeated keys.
func member(data []byte, key string) (value []byte, err error) {
	s, err := object(data)
	if err != nil {
		return nil, err
	}
	for s.more() {
		k, v := s.member()
		switch {
		case !isKey(k, key):
		case value != nil:
			return nil, badRequest(key + " is there twice")
		default:
			value = v
		}
	}
	return value, nil
}

// object returns a scanner before the first member of a JSON object. Its error has
// the code BadRequest.
func object(data []byte) (s scanner, err error) {
	if !json.Valid(data) {
		return s, notValid(data)
	}
	s.data = data
	if s.next() != '{' {
		return s, badRequest("not a JSON object")
	}
	s.at++
	return s, nil
}

// notValid says why data is not JSON.
func notValid(data []byte) error {
	var all json.RawMessage
	return badRequest(fmt.Sprintf("not valid JSON: %v", json.Unmarshal(data, &all)))
}

// scanner walks over JSON that is known to be valid.
type scanner struct {
	data []byte
	at   int
}

// more reports whether the object has another member, and goes there.
func (s *scanner) more() bool {
	if s.next() == ',' {
		s.at++
		s.next()
	}
	return s.data[s.at] != '}'
}

// member returns the member that begins here, still encoded, and goes behind it.
func (s *scanner) member() (key, value []byte) {
	key = s.value()
	s.next()
	s.at++ // the colon
	s.next()
	return key, s.value()
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

// text decodes the value of a key, which is to be a string and valid UTF-8. A lone
// surrogate is no text: encoding/json would make it U+FFFD, which may name another
// user. Its errors have the code BadRequest.
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
	if hasLoneSurrogate(value) {
		return "", badRequest(key + " holds one half of a surrogate pair")
	}
	return *decoded, nil
}

// hasLoneSurrogate reports whether an encoded string that is known to be valid has an
// escape of half a character (RFC 8259, section 8.2).
func hasLoneSurrogate(encoded []byte) bool {
	for at := 0; at < len(encoded); at++ {
		if encoded[at] != '\\' {
			continue
		}
		r := escaped(encoded[at:])
		if at++; !utf16.IsSurrogate(r) {
			continue
		}
		at += len("uXXXX")
		if utf16.DecodeRune(r, escaped(encoded[at:])) == unicode.ReplacementChar {
			return true
		}
		at += len(`\uXXXX`) - 1
	}
	return false
}

// escaped returns the code unit of the \uXXXX that a part of an encoded string begins
// with, 0 for anything else.
func escaped(encoded []byte) rune {
	if len(encoded) < len(`\uXXXX`) || encoded[0] != '\\' || encoded[1] != 'u' {
		return 0
	}
	unit, _ := strconv.ParseUint(string(encoded[2:6]), 16, 16) // valid
	return rune(unit)
}

func badRequest(message string) error {
	return &parley.Error{Code: parley.BadRequest, Message: message}
}
