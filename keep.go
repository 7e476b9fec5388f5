package parley

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// KeepRule has messages kept in a log, those to the addresses that match its
// Pattern: a receiver that is not connected, or too slow, gets them later.
type KeepRule struct {
	// Pattern is an address in text form, where "*" stands for any characters:
	// "user:*", "group:room-*", "everyone". A connection's own address is never
	// kept.
	Pattern string

	// Optional keeps only the messages that are sent with [Keep](true).
	Optional bool

	// What is beyond one of these is trimmed, oldest first, in the background.
	Messages int           // default 1000
	Bytes    int64         // of data; default 16 MiB
	Age      time.Duration // default 30 days
}

// Validate returns an error about a rule that cannot be used.
func (k *KeepRule) Validate() error {
	_, err := k.compile()
	return err
}

// keepRule is a KeepRule as it is looked up.
type keepRule struct {
	kind     addressKind
	parts    []string // of the name's pattern, split at each *
	optional bool
	Retention
}

// retained is how much a rule keeps that does not say.
var retained = Retention{Messages: 1000, Bytes: 16 << 20, Age: 30 * 24 * time.Hour}

func (k *KeepRule) compile() (keepRule, error) {
	r := keepRule{optional: k.Optional, Retention: Retention{k.Messages, k.Bytes, k.Age}}
	if k.Messages < 0 || k.Bytes < 0 || k.Age < 0 {
		return r, errors.New("parley: keeping " + k.Pattern + ": a bound must not be negative")
	}
	orDefault(&r.Messages, retained.Messages)
	orDefault(&r.Bytes, retained.Bytes)
	orDefault(&r.Age, retained.Age)
	if k.Pattern == "everyone" {
		r.kind, r.parts = kindEveryone, []string{""}
		return r, nil
	}
	for _, kind := range []addressKind{kindGroup, kindUser} {
		if name, ok := strings.CutPrefix(k.Pattern, kindPrefix[kind]); ok {
			r.kind, r.parts = kind, strings.Split(name, "*")
			if err := checkName(name); err != nil {
				return r, fmt.Errorf("parley: keeping %q: %w", k.Pattern, err)
			}
			return r, nil
		}
	}
	return r, fmt.Errorf("parley: keeping %q: a pattern begins with user: or group:, or is everyone", k.Pattern)
}

// keepRules are those of a hub. The first one that matches an address is its.
type keepRules []keepRule

// compileKeep returns the rules of Options.Keep, where nil is the default.
func compileKeep(rules []KeepRule) (keepRules, error) {
	if rules == nil {
		rules = []KeepRule{{Pattern: "user:*"}}
	}
	compiled := make(keepRules, len(rules))
	for i := range rules {
		var err error
		if compiled[i], err = rules[i].compile(); err != nil {
			return nil, err
		}
	}
	return compiled, nil
}

// errNotKept is of what needs a log.
func errNotKept(to Address) error {
	return &Error{BadRequest, "what is sent to " + to.String() + " is not kept"}
}

// find returns the rule of an address, nil where it is not kept.
func (rules keepRules) find(of Address) *keepRule {
	for i := range rules {
		if r := &rules[i]; r.kind == of.kind && matchParts(r.parts, of.name) {
			return r
		}
	}
	return nil
}

// Retention returns the bounds of an address's log. One that is not kept any more
// has what it holds kept within the default's.
func (l local) Retention(of Address) Retention {
	if r := l.hub.keep.find(of); r != nil {
		return r.Retention
	}
	return retained
}
