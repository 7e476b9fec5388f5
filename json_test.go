package parley_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
)

// TestJSON answers what it cannot take, and each error, and goes on; an error
// that is not for clients is told without its text, and logged.
func TestJSON(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	hub := newHub(t, &parley.Options{Logger: textLogger(&log)})
	w := newSite(t, "tcp", hub, func() parley.Consumer {
		return parley.JSON(func(c *parley.Conn, n int) error {
			switch n {
			case 1:
				return &parley.Error{Code: parley.NotFound, Message: "no \"one\""}
			case 2:
				return errors.New("a secret")
			case 3:
				panic("over")
			}
			return c.Reply(parley.Text("fine"))
		})
	}).open(t)
	for _, c := range []struct{ send, want string }{
		{text("0"), `text "fine"`},
		{text("1"), `text "{\"error\":{\"code\":\"not_found\",\"message\":\"no \\\"one\\\"\"}}"`},
		{text("2"), `text "{\"error\":{\"code\":\"internal\",\"message\":\"internal error\"}}"`},
		{frame(fin|opBinary, "0"), `text "{\"error\":{\"code\":\"bad_request\",\"message\":\"expected text, got binary\"}}"`},
		{text("0"), `text "fine"`},
	} {
		w.send(c.send)
		w.expect(c.want)
	}
	for _, bad := range []string{"", "{", `"a"`, "1.5", "0 0"} {
		w.send(text(bad))
		if got := w.next(); !strings.HasPrefix(got, `text "{\"error\":{\"code\":\"bad_request\",`) {
			t.Errorf("%q is answered with %s", bad, got)
		}
	}
	w.send(text("3"))
	w.expect("close 1011")
	w.send(closing(1011, ""))
	w.expect("eof")
	hubCloses(t, hub)
	if !strings.Contains(log.String(), "a secret") || !strings.Contains(log.String(), "over") {
		t.Errorf("the log lacks an error: %s", log.String())
	}
}
