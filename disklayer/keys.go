package disklayer

import (
	"encoding/binary"

	"github.com/parley-rt/parley"
)

// The kinds of keys; see the package's documentation.
const (
	keyLog     = 'a'
	keyCursor  = 'c'
	keyDedup   = 'k'
	keyMessage = 'm'
	keyMeta    = 'x'
)

// maxAddressKey bounds an address in a key; longName stands for the length of a name
// that no address has, but perhaps a sender: it follows as a varint.
const (
	maxAddressKey = 2 + parley.MaxNameBytes
	longName      = 255
)

// addressKind returns the byte that stands for an address's kind.
func addressKind(a parley.Address) byte {
	switch name := a.Name(); a {
	case parley.Everyone:
		return 'e'
	case parley.Group(name):
		return 'g'
	case parley.User(name):
		return 'u'
	default:
		return 'c'
	}
}

// appendAddress appends an address as it stands in keys and records.
func appendAddress(b []byte, a parley.Address) []byte {
	name := a.Name()
	if b = append(b, addressKind(a)); len(name) < longName {
		b = append(b, byte(len(name)))
	} else {
		b = binary.AppendUvarint(append(b, longName), uint64(len(name)))
	}
	return append(b, name...)
}

// addressSize returns how many bytes appendAddress appends.
func addressSize(a parley.Address) int {
	size := 2 + len(a.Name())
	if len(a.Name()) >= longName {
		size += len(binary.AppendUvarint(nil, uint64(len(a.Name()))))
	}
	return size
}

// cutName returns the name of an address that appendAddress appended, and what follows.
func cutName(b []byte) (name, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n, rest := uint64(b[1]), b[2:]
	if n == longName {
		var size int
		if n, size = binary.Uvarint(rest); size <= 0 {
			return nil, nil, false
		}
		rest = rest[size:]
	}
	if n > uint64(len(rest)) {
		return nil, nil, false
	}
	return rest[:n], rest[n:], true
}

// cutAddress parses what appendAddress appended, and returns what follows.
func cutAddress(b []byte) (parley.Address, []byte, bool) {
	cut, rest, ok := cutName(b)
	if !ok {
		return parley.Address{}, nil, false
	}
	name := string(cut)
	switch b[0] {
	case 'e':
		return parley.Everyone, rest, true
	case 'g':
		return parley.Group(name), rest, true
	case 'u':
		return parley.User(name), rest, true
	case 'c':
		a, err := parley.ParseAddress("conn:" + name)
		return a, rest, err == nil
	}
	return parley.Address{}, nil, false
}

// addressKey returns the key of kind for an address; what is appended to it is
// sorted behind it, and before that of any other address.
func addressKey(kind byte, a parley.Address) []byte {
	b := make([]byte, 0, 1+maxAddressKey+8)
	return appendAddress(append(b, kind), a)
}

// messageKey returns the key of the message at a place.
func messageKey(a parley.Address, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(addressKey(keyMessage, a), seq)
}

// seqOf returns the place in a message's key.
func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// dedupStart returns the first key there may be in a bucket.
func dedupStart(bucket uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{keyDedup}, bucket)
}

// metaKey returns the key of one of the store's own values.
func metaKey(name string) []byte { return append([]byte{keyMeta}, name...) }

// after returns the end of all keys that begin with prefix, which must not end
// with the byte 255.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}

// appendSeq appends a place as it stands in keys.
func appendSeq(b []byte, seq uint64) []byte { return binary.BigEndian.AppendUint64(b, seq) }
