package socket

import "time"

// post has things happen in the midst of a round.
func (s *simulation) post() bool {
	if s.n(2) > 0 {
		return false
	}
	return s.put(0, "in the midst of a round", func() error {
		return s.loop.put(background, post{kind: postDo, do: func() {
			s.tell("in the midst of a round:")
			for n := s.n(4); n > 0 && !s.resting; n-- {
				s.act()
			}
		}})
	})
}

// put posts if there is room.
func (s *simulation) put(size int, what string, put func() error) bool {
	cost := s.loop.costOf(&post{size: size})
	if !s.loop.mailbox.room.TryAcquire(cost) {
		s.loop.release() // as put does
		return false
	}
	s.loop.mailbox.room.Release(cost)
	s.tell("post: %s", what)
	if err := put(); err != nil {
		s.fail("%s: %v", what, err)
	}
	return true
}

// fill has somebody take room in the mailbox, and post much later.
func (s *simulation) fill() bool {
	if s.calm {
		return false
	}
	n := 1 + s.r.Int64N(s.loop.limit)
	if s.n(2) == 0 {
		n = s.loop.limit - s.filled
	}
	if !s.loop.mailbox.room.TryAcquire(n) {
		return false
	}
	s.filled += n
	s.tell("fill %d", n)
	return true
}

func (s *simulation) free() bool {
	if s.filled == 0 {
		return false
	}
	s.tell("free %d", s.filled)
	s.loop.mailbox.room.Release(s.filled)
	s.filled = 0
	return true
}

// release is the end of a hold.
func (s *simulation) release() bool {
	s.loop.release()
	return true
}

func (s *simulation) beat() bool {
	if !s.inRound {
		s.round() // as run does
	}
	s.beatNow()
	return true
}

// flush is what happens in the midst of a round that outputs much.
func (s *simulation) flush() bool {
	s.tell("flush")
	s.loop.flush()
	return true
}

func (s *simulation) beatNow() {
	now := time.Now()
	switch s.n(64) {
	case 0:
		if !s.keeps { // who reads slowly is closed
			now = now.Add(2 * s.engine.cfg.WriteTimeout)
		}
	case 1, 2, 3, 4:
		now = now.Add(2 * s.engine.cfg.CloseTimeout)
	}
	s.tell("beat")
	s.pings += len(s.conns)
	s.loop.beat(now)
	if !s.inRound {
		s.loop.flush()
	}
}
