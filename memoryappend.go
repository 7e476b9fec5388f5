package parley

import (
	"context"
	"strings"
	"time"
)

func (m *memoryLink) Append(ctx context.Context, e Envelope, done func(Sent, error)) error {
	retention := m.local.Retention(e.To)
	switch {
	case len(e.Key) > maxKeyBytes:
		return &Error{BadRequest, "a key must not be longer than 512 bytes"}
	case int64(len(e.Data)) > retention.Bytes:
		return &Error{TooLarge, "the message is larger than what is kept of its address"}
	}
	s := m.layer.shard(e.To)
	p := memoryPost{Envelope: e, done: done}
	err := s.append(ctx, m, &p, retention)
	if err == errMemoryFull && m.layer.sweep() {
		err = s.append(ctx, m, &p, retention)
	}
	return err
}

// append keeps a message of a link, unless it is a repeated one, and has it
// handed over.
func (s *memoryShard) append(ctx context.Context, from *memoryLink, p *memoryPost, retention Retention) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.waitRoom(ctx); err != nil {
		return err
	}
	if err := from.check(); err != nil {
		return err
	}
	now := unixNano()
	s.step(now)
	if !s.repeated(p, now) {
		if err := s.keep(p, retention, now); err != nil {
			return err
		}
	}
	s.enqueue(p)
	return nil
}

// repeated reports whether a message has a known key, and gives it then the
// result of the first one. The caller holds mu.
func (s *memoryShard) repeated(p *memoryPost, now int64) bool {
	if p.Key == "" {
		return false
	}
	s.layer.reserve(-s.keys.expire(now))
	first := s.keys.known.Get(memoryKey{p.To, p.Key})
	if first == nil {
		return false
	}
	p.repeat = true
	if first.sum == s.layer.sum(&p.Envelope) {
		p.Cursor, p.Time = Cursor{s.layer.epoch, first.seq}, time.Unix(0, first.sent)
	} else {
		p.Time, p.err = time.Time{}, &Error{Conflict, "the key was used for other data"}
	}
	return true
}

// keep adds a message to its log and trims what is beyond the bounds then, or
// returns errMemoryFull, or errInboxFull. It gives the message its place. The caller
// holds mu.
func (s *memoryShard) keep(p *memoryPost, retention Retention, now int64) error {
	log, cost := s.logs.Get(p.To), int64(0)
	if log == nil {
		log = s.newLog(p.To, retention)
		cost = log.cost()
	}
	log.retention = retention
	m := memoryMessage{data: p.Data, from: p.From, time: now, sent: time.Now().UnixNano(), except: p.Except, binary: p.Binary}
	over := log.excess(len(p.Data), now, func(upTo uint64) uint64 { return s.layer.acknowledged(p.To, upTo) })
	if over.refuses {
		return errInboxFull
	}
	cost += m.cost() - over.cost
	if p.Key != "" {
		cost += keyCost + int64(len(p.Key))
	}
	if !s.layer.reserve(cost) {
		return errMemoryFull
	}
	log.drop(over.messages)
	s.add(log)
	kept := log.push(m)
	p.Cursor, p.Prev, p.Time = s.head(log), log.head-1, time.Unix(0, kept.sent)
	if p.Key != "" {
		s.layer.reserve(-s.keys.add(&memoryKeyed{
			memoryKey: memoryKey{log.address, p.Key},
			sum:       s.layer.sum(&p.Envelope),
			seq:       log.head,
			time:      kept.time,
			sent:      kept.sent,
		}))
		p.Key = ""
	}
	return nil
}

// newLog returns a log that is not one of the shard's yet.
func (s *memoryShard) newLog(of Address, retention Retention) *memoryLog {
	of.name = strings.Clone(of.name) // it may be a piece of a long request
	return &memoryLog{address: of, retention: retention, head: s.floor, base: s.floor}
}
