package scenario

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
)

// floodOf returns two senders, with Index 0 and 1, who have sent four messages each to three users, with Index 2 to 4; without a network.
func floodOf(t *testing.T) *flood {
	t.Helper()
	loop, err := load.New(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
	})
	f := newFlood(loop, []*load.Conn{{Index: 0}, {Index: 1}}, []*load.Conn{{Index: 2}, {Index: 3}, {Index: 4}}, 3, 4)
	f.reopen = func([]int) ([]*load.Conn, error) { return nil, nil }
	for i := range f.senders {
		s := &f.senders[i]
		s.fates, s.flying = make([]byte, 4), 4
		f.sent += 4
		f.unsettled += 4
	}
	return f
}

func (f *flood) tell(index int, text string) { f.Message(&load.Conn{Index: index}, []byte(text)) }

// gives has user u get message n of sender i.
func (f *flood) gives(u, i, n int) {
	f.tell(2+u, string(userMessage("any", 64).with((i+1)*perPublisher+n)))
}

const (
	ackOf0     = `{"ack":{"to_user":"u0","state":"sent"}}`
	ackOf1     = `{"ack":{"to_user":"u1","state":"kept"}}`
	ackOf2     = `{"ack":{"to_user":"u2","state":"sent"}}`
	refusalOf1 = `{"error":{"code":"unavailable","message":"no room","to_user":"u1"}}`
)

func TestFloodCountsWhatIsOwed(t *testing.T) {
	t.Parallel()
	f := floodOf(t)
	f.tell(0, ackOf0) // message 0
	f.tell(0, ackOf1) // 1
	f.tell(0, ackOf2) // 2
	f.gives(0, 0, 0)
	f.gives(1, 0, 1)
	f.tell(0, ackOf0) // 3
	f.gives(0, 0, 3)
	if f.failure != nil || f.accepted != 4 || f.delivered != 3 || f.owed != 1 || f.users[2].owed != 1 || f.unsettled != 4 {
		t.Errorf("%v, %d accepted, %d delivered, %d owed, %d not answered", f.failure, f.accepted, f.delivered, f.owed, f.unsettled)
	}
	f.gives(2, 0, 2)
	if f.owed != 0 || f.users[2].owed != 0 || f.disordered+f.repeated != 0 {
		t.Errorf("%d owed, %d disordered, %d repeated", f.owed, f.disordered, f.repeated)
	}
}

// TestFloodHearsInAnyOrder has answers overtake each other, and messages their answers.
func TestFloodHearsInAnyOrder(t *testing.T) {
	t.Parallel()
	f := floodOf(t)
	f.gives(1, 1, 0) // before its answer
	f.tell(1, ackOf2)
	f.tell(1, ackOf1) // of message 0, for which message 3 waits
	if s := f.senders[1]; f.owed != 1 || s.flying != 2 || s.settled != 2 {
		t.Errorf("%d owed, %d in flight, settled below %d", f.owed, s.flying, s.settled)
	}
	f.tell(1, refusalOf1)
	f.gives(1, 1, 3)
	if f.refused["unavailable"] != 1 || f.unknown != 1 || f.owed != 1 || f.failure != nil {
		t.Errorf("%v refused, %d of them delivered, %d owed, %v", f.refused, f.unknown, f.owed, f.failure)
	}
}

func TestFloodSeesRepeatsAndDisorder(t *testing.T) {
	t.Parallel()
	f := floodOf(t)
	f.gives(0, 0, 3)
	f.gives(0, 0, 3)
	f.gives(0, 0, 0)
	if f.repeated != 1 || f.disordered != 1 {
		t.Errorf("%d repeated, %d disordered", f.repeated, f.disordered)
	}
	f.tell(2, `{"missed":{}}`)
	f.tell(2, string(userMessage("u0", 64).text)) // the user's own
	if f.told != 1 || f.toldFirst != `{"missed":{}}` || f.failure != nil {
		t.Errorf("told %d times %q, %v", f.told, f.toldFirst, f.failure)
	}
}

func TestFloodFails(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		cause func(*flood)
		want  string
	}{
		"misdirected":  {func(f *flood) { f.gives(1, 0, 0) }, "user 1 got"},
		"never sent":   {func(f *flood) { f.gives(1, 0, 4) }, "user 1 got"},
		"answered":     {func(f *flood) { f.tell(0, ackOf1); f.tell(0, ackOf1) }, "sender 0 was told"},
		"nobody":       {func(f *flood) { f.tell(0, `{"ack":{"to_user":"u9"}}`) }, "sender 0 was told"},
		"other answer": {func(f *flood) { f.tell(0, `{"to_user":"u0"}`) }, "sender 0 was told"},
		"sender gone":  {func(f *flood) { f.Closed(&load.Conn{Index: 1}, io.EOF) }, "closed a sender"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := floodOf(t)
			if test.cause(f); f.failure == nil || !strings.Contains(f.failure.Error(), test.want) {
				t.Errorf("got %v, want %q", f.failure, test.want)
			}
		})
	}
}

// TestFloodRestores has a user who was closed connect again, and get messages before that is done.
func TestFloodRestores(t *testing.T) {
	t.Parallel()
	f := floodOf(t)
	f.Closed(&load.Conn{Index: 3}, &load.CloseError{Code: 4000})
	f.reopen = func(users []int) ([]*load.Conn, error) {
		if len(users) != 1 || users[0] != 1 {
			t.Errorf("users %v connect again", users)
		}
		f.tell(f.loop.Dialled(), string(userMessage("any", 64).with(perPublisher+1)))
		return []*load.Conn{{Index: f.loop.Dialled()}}, nil
	}
	if err := f.restore(); err != nil || f.failure != nil || f.delivered != 1 {
		t.Errorf("%v, %v, %d delivered", err, f.failure, f.delivered)
	}
	if f.closed["closed with close code 4000"] != 1 {
		t.Errorf("got %v", f.closed)
	}
}
