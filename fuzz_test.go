package parley_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/parley-rt/parley"
)

// order is what the JSON consumer under FuzzJSON takes.
type order struct {
	Name  string         `json:"name"`
	Count int            `json:"count"`
	Tags  []string       `json:"tags"`
	Extra map[string]any `json:"extra"`
}

// FuzzJSON gives a JSON consumer any messages: each is answered, with what was
// decoded or with an error, and the connection stays.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"name":"tea","count":2,"tags":["hot"],"extra":{"a":[1,null,{}]}}`, `{}`, `null`, `[]`, `"a"`, `{"count":1e400}`, `{"count":"2"}`,
		`{"name":"\ud800"}`, `{"name":`, ``, ` `, `{"name":1}x`, "{\"name\":\"\u0000\"}", strings.Repeat("[", 11_000), `{"extra":{"é€𝄞":-0.0}}`,
	} {
		f.Add(s, false)
	}
	f.Add(`{}`, true)
	hub := newHub(f, &parley.Options{Limits: parley.Limits{MessageBytes: 1 << 24}})
	w := newSite(f, "tcp", hub, func() parley.Consumer {
		return parley.JSON(func(c *parley.Conn, o order) error {
			m, err := parley.JSONMessage(o)
			if err != nil {
				return err
			}
			return c.Reply(m)
		})
	}).open(f)
	f.Fuzz(func(t *testing.T, input string, binary bool) {
		var want order
		first, bad := byte(fin|opText), json.Unmarshal([]byte(input), &want) != nil
		if binary {
			first, bad = fin|opBinary, true
		} else if !utf8.ValidString(input) {
			t.Skip("no text")
		}
		w := &wire{t: t, nc: w.nc, r: w.r}
		w.send(frame(first, input))
		op, answer, err := w.read()
		for ; op == opPing; op, answer, err = w.read() {
			w.send(frame(fin|opPong, ""))
		}
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			order
			Error *parley.Error `json:"error"`
		}
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatalf("%q: answered with %q: %v", input, answer, err)
		}
		if (got.Error != nil) != bad || bad && (got.Error.Code != parley.BadRequest || got.Error.Message == "") {
			t.Fatalf("%q: answered with %q, want an error: %v", input, answer, bad)
		}
		if again, err := json.Marshal(want); !bad && (err != nil || string(again) != string(answer)) {
			t.Fatalf("%q: answered with %q, want %q", input, answer, again)
		}
	})
}

// FuzzParseAddress holds addresses to the text that they are parsed from.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{
		"everyone", "group:lobby", "user:ann", "conn:00ff", "group:", "user:a:b", "group:group:x", "Everyone", "", "user:\xff", "user:\n",
		"group:" + strings.Repeat("é", parley.MaxNameBytes/2), "group:" + strings.Repeat("x", parley.MaxNameBytes+1), "everyone:x", "group:\u0085",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parley.ParseAddress(s)
		if err == nil && (a.String() != s || a.IsZero()) {
			t.Fatalf("%q is parsed as %q", s, a)
		}
		var b parley.Address
		if unmarshalled := b.UnmarshalText([]byte(s)); s == "" {
			if unmarshalled != nil || !b.IsZero() {
				t.Fatalf("no text is unmarshalled as %q: %v", b, unmarshalled)
			}
		} else if (unmarshalled == nil) != (err == nil) || err == nil && a != b {
			t.Fatalf("%q is unmarshalled as %q: %v", s, b, unmarshalled)
		}
		if told, ok := err.(*parley.Error); err != nil && (!ok || told.Code != parley.BadRequest) {
			t.Fatalf("%q: got %v, want code %s", s, err, parley.BadRequest)
		}
		sound := s != "" && len(s) <= parley.MaxNameBytes && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
		for _, of := range []func(string) parley.Address{parley.Group, parley.User} {
			again, err := parley.ParseAddress(of(s).String())
			if (err == nil) != sound || sound && again != of(s) {
				t.Fatalf("the name %q is parsed as %q: %v", s, again, err)
			}
		}
	})
}

// FuzzWildcard holds patterns of origins to regular expressions.
func FuzzWildcard(f *testing.F) {
	for _, s := range [][2]string{
		{"*", ""},
		{"https://*.a.test", "https://x.a.test"},
		{"https://*.a.test", "https://.a.test"},
		{"a*a", "a"},
		{"a*b*c", "abbc"},
		{"**", "x"},
		{"*a*", "bab"},
		{"a*", "a"},
		{"*ab*ab", "xabab"},
		{"", ""},
		{"a", "A"},
		{"*é", "é"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			t.Skip("regular expressions match characters")
		}
		quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `(?s:.*)`)
		if got, want := parley.MatchWildcard(pattern, text), regexp.MustCompile(`\A(?:`+quoted+`)\z`).MatchString(text); got != want {
			t.Fatalf("%q matches %q: %v, want %v", pattern, text, got, want)
		}
	})
}

// FuzzOrigin gives handshakes any origin and host: without patterns only those
// of one host are allowed.
func FuzzOrigin(f *testing.F) {
	for _, s := range [][2]string{
		{"http://example.com", "example.com"},
		{"https://example.com:443", "example.com"},
		{"http://[::1]", "[::1]:80"},
		{"null", "null"},
		{"http://a@example.com", "example.com"},
		{"//example.com", "example.com"},
		{"http://example.com/x", "example.com"},
		{"", ""},
		{"http://:80", ""},
		{"http://", ""},
		{"http://EXAMPLE.com", "example.COM"},
		{"http://%41", "a"},
		{"http://x:y", "x:y"},
	} {
		f.Add(s[0], s[1])
	}
	handler := newHub(f, nil).Handler(newEcho)
	f.Fuzz(func(t *testing.T, origin, host string) {
		r := httptest.NewRequest(http.MethodGet, "/chat", nil)
		r.Host = host
		r.Header = http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Origin": {origin},
			"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		}
		w := httptest.NewRecorder() // which cannot be upgraded
		handler.ServeHTTP(w, r)
		allowed := w.Code == http.StatusInternalServerError
		if !allowed && w.Code != http.StatusForbidden {
			t.Fatalf("got status %d", w.Code)
		}
		u, err := url.Parse(strings.ToLower(origin))
		if allowed && origin != "" && (err != nil || u.Host == "" || bare(u.Host) != bare(strings.ToLower(host))) {
			t.Fatalf("a page of %q may connect to %q", origin, host)
		}
		if !allowed && err == nil && u.Host != "" && u.Host == strings.ToLower(host) {
			t.Fatalf("a page of %q may not connect to %q", origin, host)
		}
	})
}

// bare returns a host without a default port.
func bare(host string) string {
	return strings.TrimSuffix(strings.TrimSuffix(host, ":80"), ":443")
}
