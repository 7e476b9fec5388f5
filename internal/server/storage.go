package server

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rt/parley"
)

// Storage says which messages are kept for those who are not connected, and
// where.
type Storage struct {
	Data       string   `default:"parley-data" placeholder:"DIR" help:"Where kept messages are stored; \"memory\" keeps them no longer than the server runs. Neither made nor opened where nothing is kept. Default: parley-data."`
	DataBytes  int64    `placeholder:"N" help:"Bytes that --data may take on the disk; beyond, what is to be kept is refused as unavailable. Default: 8 GiB. Never more than 80 % of the disk."`
	Durability string   `default:"machine" help:"What an accepted message survives: machine is the machine's crash and loss of power, process only the server's own."`
	Keep       []string `sep:";" placeholder:"RULE" help:"Keep the messages to addresses: PATTERN [messages=N] [bytes=N] [age=D] [optional], such as \"user:* age=7d\". The first rule that matches counts; \"none\" keeps nothing. Repeatable. Default: user:*, and with --open none."`
}

// DefaultData is --data where nothing is said.
const DefaultData = "parley-data"

// inMemory is the --data of a server that stores nothing.
const inMemory = "memory"

// keepNone is the --keep of a server that keeps nothing.
const keepNone = "none"

func (s *Storage) check() error {
	var errs []error
	if s.DataBytes < 0 {
		errs = append(errs, errors.New("--data-bytes: must not be negative"))
	}
	if _, err := s.rules(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, oneOf("--durability", s.Durability, "machine", "process"))...)
}

// Stores reports whether the server needs a layer that stores messages in Data.
func (c *Config) Stores() bool {
	rules, err := c.keepRules()
	return err == nil && len(rules) > 0 && c.Data != inMemory
}

// keepRules returns what the library is told: an empty list where nothing is
// kept.
func (c *Config) keepRules() ([]parley.KeepRule, error) {
	if len(c.Keep) > 0 {
		return c.Storage.rules()
	}
	if c.Open { // whoever says so is anybody, and reads anybody's messages
		return []parley.KeepRule{}, nil
	}
	return []parley.KeepRule{{Pattern: "user:*"}}, nil
}

// rules parses Keep.
func (s *Storage) rules() ([]parley.KeepRule, error) {
	rules := []parley.KeepRule{}
	for _, text := range s.Keep {
		if strings.TrimSpace(text) == keepNone {
			if len(s.Keep) > 1 {
				return nil, errors.New("--keep: none stands alone")
			}
			break
		}
		rule, err := parseRule(text)
		if err != nil {
			return nil, fmt.Errorf("--keep: %w", err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// parseRule parses a pattern and options behind it. A pattern with spaces or
// quotes in it is a Go string.
func parseRule(text string) (rule parley.KeepRule, err error) {
	rule.Pattern, text, err = cutPattern(strings.TrimSpace(text))
	if err != nil {
		return rule, err
	}
	seen := make(map[string]bool)
	for option := range strings.FieldsSeq(text) {
		name, _, _ := strings.Cut(option, "=")
		if seen[name] {
			return rule, fmt.Errorf("%s: %s is repeated", rule.Pattern, name)
		}
		seen[name] = true
		if err := setOption(&rule, option); err != nil {
			return rule, fmt.Errorf("%s: %w", rule.Pattern, err)
		}
	}
	if err := rule.Validate(); err != nil {
		return rule, errors.New(strings.TrimPrefix(err.Error(), "parley: "))
	}
	return rule, nil
}

func cutPattern(text string) (pattern, rest string, err error) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		if strings.HasPrefix(text, `"`) {
			return "", "", fmt.Errorf("%s: a quote is not closed", text)
		}
		end := strings.IndexFunc(text+" ", isSpace)
		return text[:end], text[end:], nil
	}
	pattern, err = strconv.Unquote(quoted)
	return pattern, text[len(quoted):], err
}

func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' }

func setOption(rule *parley.KeepRule, option string) (err error) {
	name, value, _ := strings.Cut(option, "=")
	switch {
	case name == "messages":
		rule.Messages, err = strconv.Atoi(value)
		return positive(option, rule.Messages, err)
	case name == "bytes":
		rule.Bytes, err = strconv.ParseInt(value, 10, 64)
		return positive(option, rule.Bytes, err)
	case name == "age":
		rule.Age, err = parseAge(value)
		return positive(option, rule.Age, err)
	case option == "optional":
		rule.Optional = true
		return nil
	}
	return fmt.Errorf("%q is not one of messages=N, bytes=N, age=D and optional", option)
}

func positive[N int | int64 | time.Duration](option string, n N, err error) error {
	if err == nil && n > 0 {
		return nil
	}
	if strings.HasPrefix(option, "age=") {
		return fmt.Errorf("%q needs a duration such as 30d or 12h", option)
	}
	return fmt.Errorf("%q needs a positive number", option)
}

const day = 24 * time.Hour

// parseAge parses a duration, or a number of days.
func parseAge(text string) (time.Duration, error) {
	number, inDays := strings.CutSuffix(text, "d")
	if !inDays {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseInt(number, 10, 64)
	if err == nil && days > int64(1<<63-1)/int64(day) {
		err = strconv.ErrRange
	}
	return time.Duration(days) * day, err
}
