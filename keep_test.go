package parley_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// TestKeepRules refuses rules that cannot be used, and panics on them.
func TestKeepRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule parley.KeepRule
		want string // in the error; "" for none
	}{
		{parley.KeepRule{Pattern: "everyone"}, ""},
		{parley.KeepRule{Pattern: "group:*", Optional: true, Messages: 1, Bytes: 1, Age: 1}, ""},
		{parley.KeepRule{Pattern: "user:a*b*"}, ""},
		{parley.KeepRule{Pattern: "user:**"}, ""},
		{parley.KeepRule{}, "a pattern begins with"},
		{parley.KeepRule{Pattern: "*"}, "a pattern begins with"},
		{parley.KeepRule{Pattern: "everyone*"}, "a pattern begins with"},
		{parley.KeepRule{Pattern: "conn:*"}, "a pattern begins with"},
		{parley.KeepRule{Pattern: "user:"}, "must not be empty"},
		{parley.KeepRule{Pattern: "user:\n"}, "control characters"},
		{parley.KeepRule{Pattern: "user:*", Messages: -1}, "must not be negative"},
		{parley.KeepRule{Pattern: "user:*", Bytes: -1}, "must not be negative"},
		{parley.KeepRule{Pattern: "user:*", Age: -1}, "must not be negative"},
	} {
		err := c.rule.Validate()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v is refused: %v", c.rule, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: got %v, want it to say %s", c.rule, err, c.want)
		case c.want != "" && panicOf(func() { parley.NewHub(&parley.Options{Keep: []parley.KeepRule{c.rule}}) }) != err.Error():
			t.Errorf("%+v: NewHub did not panic with %v", c.rule, err)
		}
	}
}

// panicOf returns what f panics with.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// TestKeepDefaults keeps users' messages and no others, unless told otherwise.
func TestKeepDefaults(t *testing.T) {
	t.Parallel()
	everybody := []parley.Address{parley.Everyone, parley.Group("g"), parley.User("bob")}
	for name, c := range map[string]struct {
		rules []parley.KeepRule
		want  []parley.Address
	}{
		"default": {nil, everybody[2:]},
		"none":    {[]parley.KeepRule{}, nil},
		"all":     {keepAll(), everybody},
	} {
		hub := newHub(t, &parley.Options{Keep: c.rules})
		var keeps []parley.Address
		for _, to := range everybody {
			done, results := collect(1)
			hub.SendAsync(to, parley.Text("a"), done)
			if r := await(t, results, "done"); r.err != nil {
				t.Error(r.err)
			} else if !r.Cursor.IsZero() {
				keeps = append(keeps, to)
			}
		}
		if len(keeps) != len(c.want) || len(keeps) > 0 && keeps[0] != c.want[0] {
			t.Errorf("%s: keeps what is sent to %v, want %v", name, keeps, c.want)
		}
	}
}

// TestKeepBounds trims what is beyond the bounds of the first rule that matches.
func TestKeepBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{
			{Pattern: "user:few", Messages: 3}, {Pattern: "user:light", Bytes: 5}, {Pattern: "user:*", Age: time.Hour},
		}})
		for to, want := range map[string]int{"few": 3, "light": 5, "ann": 9} {
			sendNumbers(t, hub, parley.User(to), 0, 9)
			isNumbers(t, kept(t, hub, parley.User(to), want), 9-want, 9)
		}
		time.Sleep(2 * time.Hour)
		sendNumbers(t, hub, parley.User("ann"), 9, 10)
		isNumbers(t, kept(t, hub, parley.User("ann"), 1), 9, 10)
		if err := hub.Send(t.Context(), parley.User("light"), parley.Text("123456")); codeOf(err) != parley.TooLarge {
			t.Errorf("a message larger than the bound returned %v", err)
		}
	})
}

// TestHealth says whether messages can be kept.
func TestHealth(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Layer: &parley.MemoryLayer{MaxBytes: 5000}})
	if err := hub.Health(); err != nil {
		t.Error(err)
	}
	var err error
	for range 1000 {
		if err = hub.Send(t.Context(), parley.User("bob"), parley.Text("hello")); err != nil {
			break
		}
	}
	if codeOf(err) != parley.Unavailable || codeOf(hub.Health()) != parley.Unavailable {
		t.Errorf("a full layer: Send returned %v, and Health %v", err, hub.Health())
	}
}
