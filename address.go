package parley

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxNameBytes bounds the name of a group or a user.
const MaxNameBytes = 200

// Address names who gets a message. Addresses are comparable and may be map
// keys. The zero Address is nobody's.
type Address struct {
	kind addressKind
	name string
}

type addressKind uint8

const (
	kindNone addressKind = iota
	kindEveryone
	kindGroup
	kindUser
	kindConn
)

var kindPrefix = map[addressKind]string{kindGroup: "group:", kindUser: "user:", kindConn: "conn:"}

// Everyone is the address of all connections that joined it.
var Everyone = Address{kind: kindEveryone}

// Group returns the address of the connections that joined the group. A name is
// 1 to [MaxNameBytes] bytes of UTF-8 without control characters; any other name
// is refused where the address is used.
func Group(name string) Address { return Address{kindGroup, name} }

// User returns the address of every connection that identified as the user; see
// [Conn.Identify]. Names are bounded as those of groups are.
func User(name string) Address { return Address{kindUser, name} }

// ParseAddress parses what [Address.String] returns: "everyone", "group:NAME",
// "user:NAME" or "conn:ID". Its errors have the code [BadRequest].
func ParseAddress(text string) (Address, error) {
	if text == "everyone" {
		return Everyone, nil
	}
	for kind, prefix := range kindPrefix {
		if name, ok := strings.CutPrefix(text, prefix); ok {
			a := Address{kind, name}
			return a, a.check()
		}
	}
	return Address{}, &Error{BadRequest, "an address is everyone, group:NAME, user:NAME or conn:ID"}
}

// String returns the text form of the address, "" for the zero Address.
func (a Address) String() string {
	if a.kind == kindEveryone {
		return "everyone"
	}
	return kindPrefix[a.kind] + a.name
}

// Name returns the name of the group or user, or the ID of the connection. It
// is empty for [Everyone].
func (a Address) Name() string { return a.name }

// IsZero reports whether a is the zero Address.
func (a Address) IsZero() bool { return a.kind == kindNone }

// MarshalText returns the text form.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is [ParseAddress], but that no text is the zero Address.
func (a *Address) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*a = Address{}
		return nil
	}
	parsed, err := ParseAddress(string(text))
	if err == nil {
		*a = parsed
	}
	return err
}

// check returns an error with code [BadRequest] where a names nobody.
func (a Address) check() error {
	switch a.kind {
	case kindNone:
		return &Error{BadRequest, "no address"}
	case kindEveryone:
		return nil
	default:
		return checkName(a.name)
	}
}

func checkName(name string) error {
	switch {
	case name == "":
		return &Error{BadRequest, "a name must not be empty"}
	case len(name) > MaxNameBytes:
		return &Error{BadRequest, "a name must not be longer than 200 bytes"}
	case !utf8.ValidString(name):
		return &Error{BadRequest, "a name must be valid UTF-8"}
	case strings.IndexFunc(name, unicode.IsControl) >= 0:
		return &Error{BadRequest, "a name must not hold control characters"}
	}
	return nil
}
