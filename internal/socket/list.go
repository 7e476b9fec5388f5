package socket

// List puts a follower on its topic's list, where others than the loop find it. The
// caller sees to it that List, Unlist and Followers of one topic are not called at
// once.
func (m *Membership) List() {
	f, first := m.follower, &m.part.log.first
	if f.after = *first; f.after != nil {
		f.after.before = f
	}
	*first = f
}

// Unlist takes a follower off the list, and reports whether it was there.
func (m *Membership) Unlist() bool {
	f, first := m.follower, &m.part.log.first
	switch {
	case f.before != nil:
		f.before.after = f.after
	case *first == f:
		*first = f.after
	default:
		return false
	}
	if f.after != nil {
		f.after.before = f.before
	}
	f.before, f.after = nil, nil
	return true
}

// Followers yields the sources of the followers on a topic's list.
func (t *Topic) Followers(yield func(Source) bool) {
	for p := t.all(); p != nil; p = p.next {
		if p.log == nil {
			continue
		}
		for f := p.log.first; f != nil; f = f.after {
			if !yield(f.source) {
				return
			}
		}
	}
}
