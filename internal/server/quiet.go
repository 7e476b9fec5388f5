package server

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Strangers can make some lines appear as often as they like. Of each text so many
// lines are logged in a while; the rest is counted.
const (
	quietLines = 10
	quietTime  = time.Minute
)

// quietTexts bounds the texts that are told apart. They are the program's own.
const quietTexts = 1000

// loggedBytes bounds a value in a line: some hold what a stranger sent.
const loggedBytes = 8 << 10

// quiet is a slog.Handler that leaves lines out. The next line of the same text says how
// many those were.
type quiet struct {
	slog.Handler
	said *said
}

// said is what was logged, by all handlers that come of one.
type said struct {
	leftOut atomic.Int64

	mu    sync.Mutex // guards texts
	texts map[string]*saidText
}

type saidText struct {
	began   time.Time
	lines   int
	leftOut int64
}

func newQuiet(next slog.Handler) *quiet {
	return &quiet{next, &said{texts: make(map[string]*saidText)}}
}

// Handle logs a line, or leaves it out.
func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	leftOut, logs := q.said.add(r.Message, r.Time)
	if !logs {
		return nil
	}
	if leftOut > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int64("left_out", leftOut))
	}
	return q.Handler.Handle(ctx, r)
}

func (q *quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &quiet{q.Handler.WithAttrs(attrs), q.said}
}

func (q *quiet) WithGroup(name string) slog.Handler {
	return &quiet{q.Handler.WithGroup(name), q.said}
}

// add counts a line. It reports whether to log it, and how many were left out before.
func (s *said) add(text string, now time.Time) (leftOut int64, logs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.texts[text]
	if t == nil {
		if len(s.texts) >= quietTexts {
			clear(s.texts)
		}
		t = &saidText{began: now}
		s.texts[text] = t
	}
	if now.Sub(t.began) >= quietTime {
		t.began, t.lines = now, 0
	}
	if t.lines++; t.lines > quietLines {
		t.leftOut++
		s.leftOut.Add(1)
		return 0, false
	}
	leftOut, t.leftOut = t.leftOut, 0
	return leftOut, true
}

// cutLogged is the ReplaceAttr of the loggers.
func cutLogged(_ []string, a slog.Attr) slog.Attr {
	text := ""
	switch v := a.Value.Any().(type) {
	case string:
		text = v
	case error:
		text = v.Error()
	}
	if len(text) > loggedBytes {
		a.Value = slog.StringValue(cut(text, loggedBytes))
	}
	return a
}

// httpLog is the writer of an http.Server's log. Its lines hold addresses: as a value
// they are lines of one text.
type httpLog struct{ log *slog.Logger }

func (h httpLog) Write(line []byte) (int, error) {
	h.log.Warn("a connection failed", "err", string(line))
	return len(line), nil
}
