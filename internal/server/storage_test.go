package server

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

func TestKeepRules(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]parley.KeepRule{
		"user:*":                     {Pattern: "user:*"},
		"  everyone \t":              {Pattern: "everyone"},
		"group:room-* messages=10":   {Pattern: "group:room-*", Messages: 10},
		"user:a bytes=4096 age=90m":  {Pattern: "user:a", Bytes: 4096, Age: 90 * time.Minute},
		"user:* age=7d optional":     {Pattern: "user:*", Age: 7 * 24 * time.Hour, Optional: true},
		"user:* optional messages=1": {Pattern: "user:*", Messages: 1, Optional: true},
		"group:messages=1":           {Pattern: "group:messages=1"},
		`"group:tea room" optional`:  {Pattern: "group:tea room", Optional: true},
		`"user:\"q\"" messages=2`:    {Pattern: `user:"q"`, Messages: 2},
	} {
		if got, err := parseRule(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
}

func TestKeepRulesThatCannotBe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          `--keep: keeping "": a pattern begins with`,
		"bob":                       `--keep: keeping "bob": a pattern begins with`,
		"conn:1":                    `--keep: keeping "conn:1": a pattern begins with`,
		"user:":                     `--keep: keeping "user:"`,
		"user:* messages":           `--keep: user:*: "messages" needs a positive number`,
		"user:* messages=0":         `--keep: user:*: "messages=0" needs a positive number`,
		"user:* messages=-1":        `--keep: user:*: "messages=-1" needs a positive number`,
		"user:* bytes=16MiB":        `--keep: user:*: "bytes=16MiB" needs a positive number`,
		"user:* age=30":             `--keep: user:*: "age=30" needs a duration`,
		"user:* age=0d":             `--keep: user:*: "age=0d" needs a duration`,
		"user:* age=-1h":            `--keep: user:*: "age=-1h" needs a duration`,
		"user:* age=999999999d":     `--keep: user:*: "age=999999999d" needs a duration`,
		"user:* age=1h age=2h":      `--keep: user:*: age is repeated`,
		"user:* optional optional":  `--keep: user:*: optional is repeated`,
		"user:* optional=1":         `--keep: user:*: "optional=1" is not one of`,
		"user:* message=1":          `--keep: user:*: "message=1" is not one of`,
		"group:tea room":            `--keep: group:tea: "room" is not one of`,
		`"user:*`:                   `--keep: "user:*: a quote is not closed`,
		"\"user:a\\u0007\" age=30d": `--keep: keeping "user:a\a"`,
	} {
		cfg := Config{Storage: Storage{Keep: []string{"user:ok", text}}}
		if err := cfg.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got the error %v, want %s", text, err, want)
		}
	}
}

func TestKeepNoneStandsAlone(t *testing.T) {
	t.Parallel()
	cfg := Config{Storage: Storage{Keep: []string{"user:*", "none"}}}
	if err := cfg.Check(); err == nil || err.Error() != "--keep: none stands alone" {
		t.Errorf("got the error %v", err)
	}
}

// TestWhatIsKept looks at what the library is told, and whether a directory is
// wanted.
func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	users := []parley.KeepRule{{Pattern: "user:*"}}
	for name, tt := range map[string]struct {
		cfg    Config
		rules  []parley.KeepRule
		stores bool
	}{
		"by default":        {Config{}, users, true},
		"in memory":         {Config{Storage: Storage{Data: "memory"}}, users, false},
		"open":              {Config{Open: true}, []parley.KeepRule{}, false},
		"open, and said so": {Config{Open: true, Storage: Storage{Keep: []string{"user:*"}}}, users, true},
		"none":              {Config{Storage: Storage{Keep: []string{" none "}}}, []parley.KeepRule{}, false},
		"two":               {Config{Storage: Storage{Keep: []string{"user:*", "group:a"}}}, []parley.KeepRule{{Pattern: "user:*"}, {Pattern: "group:a"}}, true},
	} {
		if got := tt.cfg.hubOptions(nil).Keep; !reflect.DeepEqual(got, tt.rules) {
			t.Errorf("%s: got %+v", name, got)
		}
		if got := tt.cfg.Stores(); got != tt.stores {
			t.Errorf("%s: Stores is %v", name, got)
		}
	}
}
