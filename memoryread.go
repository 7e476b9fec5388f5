package parley

import (
	"context"
	"slices"
)

func (m *memoryLink) Head(_ context.Context, of Address) (Cursor, error) {
	s := m.layer.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head(s.logs.Get(of)), m.check()
}

func (m *memoryLink) ReadAfter(_ context.Context, of Address, after Cursor, limit PageLimit) (Page, error) {
	if err := m.check(); err != nil {
		return Page{}, err
	}
	s := m.layer.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.find(of, unixNano())
	page := Page{Cursor: s.head(log), Missed: s.missed(log, after)}
	if log == nil {
		return page, nil
	}
	seq := log.first()
	switch {
	case after.IsZero():
		page.Lost = int64(seq - min(seq, log.base+1))
	case !page.Missed:
		seq = max(seq, after.Seq+1)
	case after.Epoch == s.layer.epoch && after.Seq < seq:
		page.Lost = int64(seq - after.Seq - 1)
	}
	for ; seq <= log.head && page.take(log.envelope(s.layer.epoch, seq), &limit); seq++ {
		page.Cursor.Seq = seq
	}
	page.More = seq <= log.head
	return page, nil
}

func (m *memoryLink) ReadBefore(_ context.Context, of Address, before Cursor, limit PageLimit) (Page, error) {
	if err := m.check(); err != nil {
		return Page{}, err
	}
	s := m.layer.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.find(of, unixNano())
	page := Page{Cursor: before, Missed: s.missed(log, before)}
	if log == nil {
		return page, nil
	}
	seq, first := before.Seq, log.first()
	if page.Missed || before.IsZero() {
		seq = log.head + 1
	}
	for ; seq > first && page.take(log.envelope(s.layer.epoch, seq-1), &limit); seq-- {
		page.Cursor = Cursor{s.layer.epoch, seq - 1}
	}
	page.More = seq > first
	slices.Reverse(page.Messages)
	return page, nil
}

// missed reports whether a log, or none where it is nil, cannot go on from a
// place. The caller holds mu.
func (s *memoryShard) missed(log *memoryLog, at Cursor) bool {
	if at.IsZero() {
		return false
	}
	head := s.head(log)
	first := head.Seq + 1
	if log != nil {
		first = log.first()
	}
	return at.Epoch != head.Epoch || at.Seq > head.Seq || at.Seq+1 < first
}

// take adds a message to the page, but where that is beyond the limit.
func (p *Page) take(e Envelope, limit *PageLimit) bool {
	if len(p.Messages) > 0 && (len(p.Messages) >= limit.Messages || len(e.Data) > limit.Bytes) {
		return false
	}
	p.Messages = append(p.Messages, e)
	limit.Bytes -= len(e.Data)
	return true
}
