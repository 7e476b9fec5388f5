package history_test

import (
	"slices"
	"testing"
	"time"

	"github.com/parley-rt/parley"
	. "github.com/parley-rt/parley/internal/crash/history"
)

var room = parley.Group("room")

// at is a place in the log of the first life.
func at(seq uint64) parley.Cursor { return parley.Cursor{Epoch: 1, Seq: seq} }

// at2 is one in the second life.
func at2(seq uint64) parley.Cursor { return parley.Cursor{Epoch: 2, Seq: seq} }

func joins(after, at parley.Cursor, missed bool) Event {
	return Event{Join: &Join{After: after, At: at, Missed: missed}}
}

func gets(cursor parley.Cursor, id ID) Event { return Event{Cursor: cursor, ID: id} }

// view begins with a join of the empty log.
func view(receiver string, events ...Event) View {
	return View{Receiver: receiver, Address: room, Events: append([]Event{joins(parley.Cursor{}, at(0), false)}, events...)}
}

// acks is a view of a receiver that acknowledges.
func acks(events ...Event) View {
	v := view("acks", events...)
	v.Acknowledges = true
	return v
}

func sent(id ID, accepted ...Acceptance) Send { return Send{ID: id, To: room, Accepted: accepted} }

func accepted(at parley.Cursor, when time.Duration) Acceptance { return Acceptance{at, when} }

// three are messages of one sender, which were kept at 1 to 3.
var a, b, c = NewID(7, 1), NewID(7, 2), NewID(7, 3)

func three() []Send {
	return []Send{sent(a, accepted(at(1), 1)), sent(b, accepted(at(2), 2)), sent(c, accepted(at(3), 3))}
}

// all is what a receiver gets of the three.
func all() View { return view("all", gets(at(1), a), gets(at(2), b), gets(at(3), c)) }

// changed returns the three with one of them changed.
func changed(i int, change func(*Send)) []Send {
	sends := three()
	change(&sends[i])
	return sends
}

// TestOneLife has each broken promise found where nothing was restored, and
// nothing found where none was broken.
func TestOneLife(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sends []Send
		views []View
		want  []Kind
	}{
		"all well": {three(), []View{all(), all()}, nil},
		"a resume": {three(), []View{all(), view("r", gets(at(1), a), joins(at(1), at(1), false), gets(at(2), b), gets(at(3), c))}, nil},

		"got again":                 {three(), []View{acks(gets(at(1), a), gets(at(2), b), joins(at(2), at(1), false), gets(at(2), b), gets(at(3), c))}, nil},
		"got not again":             {three(), []View{all(), acks(gets(at(1), a), joins(at(1), at(2), false), gets(at(3), c))}, []Kind{Lost}},
		"got again, as told late":   {three(), []View{acks(gets(at(1), a), gets(at(2), b), joins(at(2), at(0), false), gets(at(1), a), joins(at(1), at(2), false), gets(at(3), c))}, nil},
		"told late, and too much":   {three(), []View{all(), acks(gets(at(1), a), joins(at(1), at(0), false), joins(at(1), at(2), false), gets(at(3), c))}, []Kind{Lost}},
		"all of it, and again some": {three(), []View{acks(gets(at(1), a), gets(at(2), b), gets(at(3), c), joins(at(3), at(1), false), gets(at(2), b))}, nil},
		"got again, and missed":     {three(), []View{acks(gets(at(1), a), joins(at(1), at(0), true), gets(at(1), a), gets(at(2), b), gets(at(3), c))}, []Kind{ToldWrongly}},
		"got again, once too often": {three(), []View{acks(gets(at(1), a), joins(at(1), at(0), false), gets(at(1), a), gets(at(1), a), gets(at(2), b), gets(at(3), c))}, []Kind{Repeated}},
		"lost at one":               {three(), []View{all(), view("r", gets(at(1), a), gets(at(3), c))}, []Kind{Lost}},
		"the last lost at one":      {three(), []View{all(), view("r", gets(at(1), a), gets(at(2), b))}, []Kind{Lost}},
		"the first lost at one":     {three(), []View{all(), view("r", gets(at(2), b), gets(at(3), c))}, []Kind{Lost}},
		"lost at a resume":          {three(), []View{all(), view("r", gets(at(1), a), joins(at(1), at(1), false), gets(at(3), c))}, []Kind{Lost}},
		"lost at all":               {three(), []View{view("r", gets(at(1), a), gets(at(3), c))}, []Kind{Lost}},
		"never joined":              {three(), []View{all(), {Receiver: "never", Address: room}}, []Kind{Lost}},
		"repeated":                  {three(), []View{all(), view("r", gets(at(1), a), gets(at(2), b), gets(at(2), b), gets(at(3), c))}, []Kind{Repeated}},
		"repeated by a resume":      {three(), []View{view("r", gets(at(1), a), gets(at(2), b), joins(at(2), at(1), false), gets(at(2), b), gets(at(3), c))}, []Kind{Repeated}},
		"out of order":              {three(), []View{all(), view("r", gets(at(1), a), gets(at(3), c), gets(at(2), b))}, []Kind{Disordered}},
		"before the join":           {three(), []View{all(), {Receiver: "r", Address: room, Events: []Event{gets(at(1), a), joins(parley.Cursor{}, at(1), false), gets(at(2), b), gets(at(3), c)}}}, []Kind{Disordered, Lost}},
		"never sent":                {three(), []View{view("r", gets(at(1), a), gets(at(2), b), gets(at(3), c), gets(at(4), NewID(8, 1)))}, []Kind{Invented}},
		"changed on the way":        {three(), []View{view("r", gets(at(1), a), gets(at(2), b), gets(at(3), c), gets(at(4), 0))}, []Kind{Invented}},
		"sent elsewhere":            {changed(2, func(s *Send) { s.To = parley.Group("other") }), []View{all()}, []Kind{Invented, Lost}},
		"two orders":                {three(), []View{all(), view("r", gets(at(1), b), gets(at(2), a), gets(at(3), c))}, []Kind{Conflicting}},
		"kept twice":                {three(), []View{view("r", gets(at(1), a), gets(at(2), b), gets(at(3), c), gets(at(4), a))}, []Kind{KeptTwice}},
		"against the calls":         {changed(0, func(s *Send) { s.Accepted[0].Cursor = at(4) }), []View{view("r", gets(at(2), b), gets(at(3), c), gets(at(4), a))}, []Kind{SenderOrder}},
		"after a failure":           {changed(0, func(s *Send) { s.Accepted[0].Cursor, s.Failed = at(4), true }), []View{view("r", gets(at(2), b), gets(at(3), c), gets(at(4), a))}, nil},
		"another cursor":            {changed(2, func(s *Send) { s.Accepted[0].Cursor = at(4) }), []View{all()}, []Kind{Misplaced}},
		"another's cursor":          {changed(2, func(s *Send) { s.Accepted[0].Cursor = at(1) }), []View{all()}, []Kind{Misplaced}},
		"told two places":           {changed(2, func(s *Send) { s.Accepted = append(s.Accepted, accepted(at(4), 4)) }), []View{all()}, []Kind{Misplaced}},
		"told one place twice":      {changed(2, func(s *Send) { s.Accepted = append(s.Accepted, accepted(at(3), 4)) }), []View{all()}, nil},
		"never settled":             {changed(2, func(s *Send) { s.Accepted = nil }), []View{all()}, []Kind{Unsettled}},
		"refused":                   {changed(2, func(s *Send) { s.Accepted, s.Refused = nil, "conflict" }), []View{all()}, []Kind{Refused}},
		"missed, but nothing was":   {three(), []View{view("r", gets(at(1), a), joins(at(1), at(0), true), gets(at(1), a), gets(at(2), b), gets(at(3), c))}, []Kind{ToldWrongly}},
		"unknown epoch":             {three(), []View{all(), view("r", gets(at(1), a), gets(at(2), b), gets(at2(3), c))}, []Kind{Lost, WrongEpoch}},
		"accepted in no epoch":      {changed(2, func(s *Send) { s.Accepted[0].Cursor = at2(3) }), []View{all()}, []Kind{WrongEpoch}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, &History{[]Life{{Epoch: 1}}, test.sends, test.views}, test.want)
		})
	}
}

// TestRestored is TestOneLife where a backup was begun at 15 and restored: a was
// accepted before, c after, and b while it was written.
func TestRestored(t *testing.T) {
	t.Parallel()
	d := NewID(7, 4)
	sends := []Send{
		sent(a, accepted(at(1), 10)), sent(b, accepted(at(2), 20)), sent(c, accepted(at(3), 30)), sent(d, accepted(at2(3), 40)),
	}
	before := []Event{gets(at(1), a), gets(at(2), b), gets(at(3), c)}
	tests := map[string]struct {
		events []Event
		want   []Kind
	}{
		"all well":            {[]Event{joins(at(3), at2(0), true), gets(at2(1), a), gets(at2(2), b), gets(at2(3), d)}, nil},
		"one was not copied":  {[]Event{joins(at(3), at2(0), true), gets(at2(1), a), gets(at2(3), d)}, nil},
		"not told":            {[]Event{joins(at(3), at2(3), false), gets(at2(3), d)}, []Kind{Lost, NotTold}},
		"not told at a join":  {[]Event{joins(at(3), at(3), false), gets(at2(1), a), gets(at2(2), b), gets(at2(3), d)}, []Kind{NotTold}},
		"not from the oldest": {[]Event{joins(at(3), at2(1), true), gets(at2(2), b), gets(at2(3), d)}, []Kind{Lost}},
		"of the old life":     {[]Event{joins(at(3), at2(0), true), gets(at2(1), a), gets(at(2), b), gets(at2(3), d)}, []Kind{WrongEpoch}},
		"went back":           {[]Event{joins(at(3), at2(0), true), gets(at2(1), a), joins(at2(1), at(0), true), gets(at(1), a)}, []Kind{Lost, WrongEpoch}},
		"never came back":     {nil, []Kind{Lost}},
		"kept twice":          {[]Event{joins(at(3), at2(0), true), gets(at2(1), a), gets(at2(2), a), gets(at2(3), d)}, []Kind{KeptTwice}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &History{Lives: []Life{{Epoch: 1}, {Epoch: 2, Backup: 15}}, Sends: sends}
			h.Views = append(h.Views, view("r", slices.Concat(before, test.events)...))
			expect(t, h, test.want)
		})
	}
	for name, test := range map[string]struct {
		events []Event
		want   []Kind
	}{
		"acknowledged in the copy":       {[]Event{joins(at(3), at2(1), false), gets(at2(2), b), gets(at2(3), d)}, nil},
		"acknowledged, and missed":       {[]Event{joins(at(3), at2(1), true), gets(at2(2), b), gets(at2(3), d)}, []Kind{ToldWrongly}},
		"acknowledged, and missed again": {[]Event{joins(at(3), at2(1), false), joins(at2(1), at2(0), true), gets(at2(1), a), gets(at2(2), b), gets(at2(3), d)}, []Kind{ToldWrongly}},
		"got again":                      {[]Event{joins(at(3), at2(1), false), gets(at2(1), a), gets(at2(2), b), gets(at2(3), d)}, []Kind{Repeated}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resumes := acks(slices.Concat(before, test.events)...)
			reads := view("r", slices.Concat(before, tests["all well"].events)...)
			expect(t, &History{[]Life{{Epoch: 1}, {Epoch: 2, Backup: 15}}, sends, []View{resumes, reads}}, test.want)
		})
	}
	t.Run("the epoch stayed", func(t *testing.T) {
		t.Parallel()
		expect(t, &History{[]Life{{Epoch: 1}, {Epoch: 1, Backup: 15}}, three(), []View{all()}}, []Kind{WrongEpoch})
	})
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	v := acks(gets(at(1), a), gets(at(2), b), joins(at(2), at(0), false), gets(at(1), a), gets(at(2), b), joins(at(2), at(1), false), gets(at(2), b), gets(at(3), c))
	if again, all := v.Repeats(); again != 3 || all != 6 {
		t.Errorf("%d of %d were repeated, want 3 of 6", again, all)
	}
}

func expect(t *testing.T, h *History, want []Kind) {
	t.Helper()
	found := Check(h)
	if got := Kinds(found); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q: %v", got, want, found)
	}
}
