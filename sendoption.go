package parley

import "fmt"

// SendOption changes how one message is sent. Options that contradict each other
// are an error with the code [BadRequest].
type SendOption struct {
	except ConnID
	key    string
	keyed  bool
	keep   keepChoice
}

type keepChoice uint8

const (
	keepAsRuled keepChoice = iota
	keepYes
	keepNo
)

// maxSendKey bounds a Key, in bytes.
const maxSendKey = 200

// Except leaves one connection out of the receivers. Sending with two of them is
// an error with the code [BadRequest].
func Except(c *Conn) SendOption { return SendOption{except: c.ID()} }

// Key has a message kept once only, however often it is sent: where one with the
// same key was kept before, for the same sender and address and not longer ago
// than the layer remembers (24 hours at least on disk), sending it again has the
// result of the first time. Other data under the same key is an error with the
// code [Conflict]. A key is 1 to 200 bytes; one of a message that is not kept is
// an error with the code [BadRequest]. A sender is the user of a connection, a
// connection without one, or the program.
func Key(key string) SendOption { return SendOption{key: key, keyed: true} }

// Keep(false) has a message to a kept address not kept, and Keep(true) one kept
// where its address' rule is Optional; where there is no rule, Keep(true) is an
// error with the code [BadRequest].
func Keep(keep bool) SendOption {
	if keep {
		return SendOption{keep: keepYes}
	}
	return SendOption{keep: keepNo}
}

// mergeAll makes o what all the options of one message come to.
func (o *SendOption) mergeAll(options []SendOption) error {
	for i := range options {
		if err := o.merge(&options[i]); err != nil {
			return err
		}
	}
	if n := len(o.key); o.keyed && (n == 0 || n > maxSendKey) {
		return &Error{BadRequest, fmt.Sprintf("a key is 1 to %d bytes", maxSendKey)}
	}
	return nil
}

func (o *SendOption) merge(more *SendOption) error {
	switch {
	case !mergeInto(&o.except, more.except):
		return &Error{BadRequest, "a message can leave out one connection only"}
	case !mergeInto(&o.keep, more.keep):
		return &Error{BadRequest, "a message is kept or not, not both"}
	case o.keyed && more.keyed && o.key != more.key:
		return &Error{BadRequest, "a message has one key only"}
	case more.keyed:
		o.key, o.keyed = more.key, true
	}
	return nil
}

// mergeInto sets what is zero still, and reports whether there is no contradiction.
func mergeInto[T comparable](v *T, more T) bool {
	var zero T
	if more == zero {
		return true
	}
	if *v == zero {
		*v = more
	}
	return *v == more
}

// kept reports whether a message is kept, by the rule of its address or nil.
func (o *SendOption) kept(to Address, rule *keepRule) (bool, error) {
	if rule == nil && o.keep == keepYes {
		return false, errNotKept(to)
	}
	kept := rule != nil && o.keep != keepNo && (!rule.optional || o.keep == keepYes)
	if o.keyed && !kept {
		return false, &Error{BadRequest, "a key is of use for a message that is kept only"}
	}
	return kept, nil
}

// qualify makes one sender's key differ from those of others. By is nil for the
// program, whose messages may be from whom it likes.
func qualify(by *Conn, from Address, key string) string {
	switch {
	case by == nil:
		return "p\x00" + key
	case !from.IsZero():
		return "u" + from.name + "\x00" + key
	}
	return "c" + by.ID().String() + "\x00" + key
}
