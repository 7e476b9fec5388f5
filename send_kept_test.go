package parley_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// TestSendKeptReturnsOnceSafe holds up what makes a message safe, and Send with
// it.
func TestSendKeptReturnsOnceSafe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		layer, safe := late()
		hub := newHub(t, &parley.Options{Layer: layer})
		conns := make(chan *parley.Conn, 1)
		pipe(t, hub.Handler(guest("ann", "g", conns)))
		for name, send := range map[string]sending{"hub": hub.Send, "conn": (<-conns).Send} {
			returned := make(chan error, 1)
			go func() { returned <- send(t.Context(), parley.User("bob"), parley.Text("to bob by "+name)) }()
			makeSafe := <-safe
			synctest.Wait()
			if len(returned) > 0 {
				t.Errorf("%s: Send returned before the message was safe", name)
			}
			makeSafe()
			if err := <-returned; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if messages := kept(t, hub, parley.User("bob"), 2); messages[0].Cursor.IsZero() || messages[0].Time.IsZero() {
			t.Errorf("kept %+v", messages[0])
		}
	})
}

// sending is Send of a hub or a connection.
type sending = func(context.Context, parley.Address, parley.Message, ...parley.SendOption) error

// TestSendKeptGivesUp returns when ctx ends, and says what is known.
func TestSendKeptGivesUp(t *testing.T) {
	t.Parallel()
	patient := func(_ context.Context, _ parley.Envelope, done func(parley.Sent, error), _ parley.Link) error {
		time.AfterFunc(2*time.Second, func() { done(parley.Sent{}, nil) })
		return nil
	}
	full := func(ctx context.Context, _ parley.Envelope, _ func(parley.Sent, error), _ parley.Link) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for text, layer := range map[string]*meddling{
		"it is not known whether the message was kept": {append: patient},
		"the layer took no more messages in time":      {append: full},
	} {
		synctest.Test(t, func(t *testing.T) {
			hub := newHub(t, &parley.Options{Layer: layer})
			for why, end := range map[error]func() (context.Context, func()){
				context.DeadlineExceeded: func() (context.Context, func()) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					return ctx, cancel
				},
				context.Canceled: func() (context.Context, func()) {
					ctx, cancel := context.WithCancelCause(t.Context())
					time.AfterFunc(time.Second, func() { cancel(errors.New("a cause")) })
					return ctx, func() { cancel(nil) }
				},
			} {
				ctx, cancel := end()
				err := hub.Send(ctx, parley.User("bob"), parley.Text("a"))
				if codeOf(err) != parley.Unavailable || !errors.Is(err, why) || !strings.Contains(err.Error(), text) {
					t.Errorf("got %v, want it unavailable, with %v: %s", err, why, text)
				}
				cancel()
			}
		})
	}
}

// TestSendKeptTooLate keeps nothing when ctx has ended.
func TestSendKeptTooLate(t *testing.T) {
	t.Parallel()
	layer, appended := recording()
	hub := newHub(t, &parley.Options{Layer: layer})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := hub.Send(ctx, parley.User("bob"), parley.Text("a")); codeOf(err) != parley.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("Send returned %v", err)
	}
	if len(appended) > 0 {
		t.Error("the message was kept")
	}
}

// TestSendKeptFails hands on what the layer says.
func TestSendKeptFails(t *testing.T) {
	t.Parallel()
	want := &parley.Error{Code: parley.Unavailable, Message: "the disk is full"}
	for name, layer := range map[string]*meddling{
		"refused": {append: func(context.Context, parley.Envelope, func(parley.Sent, error), parley.Link) error { return want }},
		"failed": {append: func(_ context.Context, _ parley.Envelope, done func(parley.Sent, error), _ parley.Link) error {
			go done(parley.Sent{}, want)
			return nil
		}},
	} {
		hub := newHub(t, &parley.Options{Layer: layer})
		if err := hub.Send(t.Context(), parley.User("bob"), parley.Text("a")); err != error(want) {
			t.Errorf("%s: Send returned %v, want %v", name, err, want)
		}
		done, results := collect(1)
		hub.SendAsync(parley.User("bob"), parley.Text("a"), done)
		if r := await(t, results, "done"); r.err != error(want) {
			t.Errorf("%s: done got %v, want %v", name, r.err, want)
		}
	}
}

// TestWhichAreKept holds rules and options to what becomes of a message.
func TestWhichAreKept(t *testing.T) {
	t.Parallel()
	layer, appended := recording()
	hub := newHub(t, &parley.Options{Layer: layer, Keep: []parley.KeepRule{
		{Pattern: "group:no*pe-*", Optional: true}, {Pattern: "group:n*"}, {Pattern: "user:*"},
	}})
	conns := make(chan *parley.Conn, 1)
	pipe(t, hub.Handler(guest("", "g", conns)))
	own := (<-conns).Address()
	yes, no, key := parley.Keep(true), parley.Keep(false), parley.Key("k")
	type options = []parley.SendOption
	for _, c := range []struct {
		to      parley.Address
		options options
		want    string
	}{
		{parley.User("ann"), nil, "kept"},
		{parley.User("ann"), options{yes, yes}, "kept"},
		{parley.User("ann"), options{no}, "not kept"},
		{parley.User("ann"), options{key, key}, "kept"},
		{parley.User("ann"), options{key, no}, "bad_request"},
		{parley.User("ann"), options{yes, no}, "bad_request"},
		{parley.User("ann"), options{key, parley.Key("l")}, "bad_request"},
		{parley.User("ann"), options{parley.Key("")}, "bad_request"},
		{parley.User("ann"), options{parley.Key(strings.Repeat("k", 200))}, "kept"},
		{parley.User("ann"), options{parley.Key(strings.Repeat("k", 201))}, "bad_request"},
		{parley.Group("none"), nil, "kept"},
		{parley.Group("nope"), nil, "kept"},
		{parley.Group("nope-a"), nil, "not kept"},
		{parley.Group("nope-a"), options{yes}, "kept"},
		{parley.Group("nope-a"), options{key}, "bad_request"},
		{parley.Group("no rope-a"), options{yes, key}, "kept"},
		{parley.Group("g"), nil, "not kept"},
		{parley.Group("g"), options{no}, "not kept"},
		{parley.Group("g"), options{yes}, "bad_request"},
		{parley.Group("g"), options{key}, "bad_request"},
		{parley.Everyone, nil, "not kept"},
		{parley.Everyone, options{yes}, "bad_request"},
		{own, nil, "not kept"},
		{own, options{yes}, "bad_request"},
	} {
		err := hub.Send(t.Context(), c.to, parley.Text("a"), c.options...)
		done, results := collect(1)
		hub.SendAsync(c.to, parley.Text("a"), done, c.options...)
		async := await(t, results, "done").err
		got := "not kept"
		switch {
		case err != nil:
			got = string(codeOf(err))
		case len(appended) == 2:
			got = "kept"
		}
		if got != c.want || fmt.Sprint(err) != fmt.Sprint(async) {
			t.Errorf("to %v with %+v: %s (%v, %v), want %s", c.to, c.options, got, err, async, c.want)
		}
		for len(appended) > 0 {
			<-appended
		}
	}
}

// TestExceptWithOtherOptions leaves one out, whatever else there is to say.
func TestExceptWithOtherOptions(t *testing.T) {
	t.Parallel()
	layer, appended := recording()
	hub := newHub(t, &parley.Options{Layer: layer, Keep: keepAll()})
	conns := make(chan *parley.Conn, 2)
	for range cap(conns) {
		pipe(t, hub.Handler(guest("", "g", conns)))
	}
	one, other := <-conns, <-conns
	if err := hub.Send(t.Context(), parley.Everyone, parley.Text("a"), parley.Except(one), parley.Key("k"), parley.Keep(true)); err != nil {
		t.Error(err)
	}
	if e := <-appended; e.Except != one.ID() {
		t.Errorf("leaves out %v, want %v", e.Except, one.ID())
	}
	if err := hub.Send(t.Context(), parley.Everyone, parley.Text("a"), parley.Except(one), parley.Except(other)); codeOf(err) != parley.BadRequest {
		t.Errorf("leaving out two returned %v", err)
	}
}

// TestKeysOfSenders has the same key be another one for another sender.
func TestKeysOfSenders(t *testing.T) {
	t.Parallel()
	layer, appended := recording()
	hub := newHub(t, &parley.Options{Layer: layer})
	conns := make(chan *parley.Conn, 1)
	pipe(t, hub.Handler(guest("ann", "g", conns)))
	ann := <-conns
	pipe(t, hub.Handler(guest("", "g", conns)))
	anonymous := <-conns
	forged := parley.Message{From: parley.User("ann")}
	for want, send := range map[string]sending{
		"p\x00k": hub.Send, "uann\x00k": ann.Send, "c" + anonymous.ID().String() + "\x00k": anonymous.Send,
	} {
		if err := send(t.Context(), parley.User("bob"), forged, parley.Key("k")); err != nil {
			t.Error(err)
		}
		if got := <-appended; got.Key != want || got.To != parley.User("bob") {
			t.Errorf("appended to %v with the key %q, want %q", got.To, got.Key, want)
		}
	}
}

// TestKeyTwice has a message kept once.
func TestKeyTwice(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	send := func(text string, options ...parley.SendOption) result {
		done, results := collect(1)
		hub.SendAsync(parley.User("bob"), parley.Text(text), done, options...)
		return await(t, results, "done")
	}
	first, again := send("a", parley.Key("k")), send("a", parley.Key("k"))
	if first != again || first.err != nil || first.Cursor.IsZero() || first.Time.IsZero() {
		t.Errorf("the first time %+v, then %+v", first, again)
	}
	if r := send("b", parley.Key("k")); codeOf(r.err) != parley.Conflict || r.Sent != (parley.Sent{}) {
		t.Errorf("other data: %+v", r)
	}
	if r := send("end"); r.Cursor.Seq != first.Cursor.Seq+1 {
		t.Errorf("kept %d more messages, want one", r.Cursor.Seq-first.Cursor.Seq)
	}
}

// TestSentOn sends on what came from a log: it has no place of its own.
func TestSentOn(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	if err := hub.Send(t.Context(), parley.User("bob"), parley.Text("a")); err != nil {
		t.Fatal(err)
	}
	m := kept(t, hub, parley.User("bob"), 1)[0]
	enough := errors.New("enough")
	started := func() { go func() { _ = hub.Send(t.Context(), parley.Group("g"), m) }() }
	err := hub.Listen(t.Context(), parley.Group("g"), &parley.ListenOptions{Started: started}, func(m parley.Message) error {
		if !m.Cursor.IsZero() {
			t.Errorf("got the cursor %v", m.Cursor)
		}
		return enough
	})
	if err != enough {
		t.Error(err)
	}
}

// TestSendAllocates says what sending costs that is not kept.
func TestSendAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{
		{Pattern: "group:a*b*c"}, {Pattern: "group:*", Optional: true}, {Pattern: "user:ann"},
	}})
	m := parley.Text("hello")
	for _, to := range []parley.Address{parley.Everyone, parley.Group("abstract"), parley.User("bob")} {
		n := testing.AllocsPerRun(100, func() {
			if err := hub.Send(t.Context(), to, m); err != nil {
				t.Error(err)
			}
		})
		if n != 0 {
			t.Errorf("sending to %v allocates %v times", to, n)
		}
	}
}
