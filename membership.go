package parley

import (
	"github.com/parley-rt/parley/internal/lean"
	"github.com/parley-rt/parley/internal/socket"
)

// membership is a connection's in one address.
type membership struct {
	socket.Membership
	topic *topic
	next  *membership
}

// memberships are those of one connection: a list while they are few, then a map.
type memberships struct {
	few  *membership
	many *lean.Map[Address, *membership]
}

// maxFew is how many memberships are a list.
const maxFew = 8

// find returns the membership of an address, nil where there is none, and how
// many there are.
func (ms *memberships) find(of Address) (found *membership, n int) {
	if ms.many != nil {
		return ms.many.Get(of), ms.many.Len()
	}
	for m := ms.few; m != nil; m = m.next {
		if m.topic.kind == of.kind && m.topic.name == of.name {
			found = m
		}
		n++
	}
	return found, n
}

// add adds m, the n-th from 0.
func (ms *memberships) add(m *membership, n int) {
	if ms.many == nil && n >= maxFew {
		ms.many = new(lean.Map[Address, *membership])
		for at := ms.few; at != nil; {
			ms.many.Set(at.topic.address(), at)
			at, at.next = at.next, nil
		}
		ms.few = nil
	}
	if ms.many != nil {
		ms.many.Set(m.topic.address(), m)
		return
	}
	m.next = ms.few
	ms.few = m
}

func (ms *memberships) remove(m *membership) {
	if ms.many != nil {
		ms.many.Delete(m.topic.address())
		return
	}
	at := &ms.few
	for *at != m {
		at = &(*at).next
	}
	*at = m.next
}

// all yields each membership.
func (ms *memberships) all(yield func(*membership) bool) {
	for m := ms.few; m != nil; m = m.next {
		if !yield(m) {
			return
		}
	}
	if ms.many == nil {
		return
	}
	for _, m := range ms.many.All {
		if !yield(m) {
			return
		}
	}
}
