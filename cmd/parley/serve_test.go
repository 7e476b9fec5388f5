package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/parley-rt/parley/parleytest"
)

func TestBanner(t *testing.T) {
	t.Parallel()
	p := serve(t, "--addr", "127.0.0.1:0", "--log-format", "text")
	p.until("Ctrl-C")
	host := strings.TrimPrefix(p.url, "http://")
	for _, part := range []string{
		"Parley ", "Page ", p.url + "\n", "ws://" + host + "ws/\n", "ws://" + host + "ws/{username}/\n", p.url + "v1/send\n", "names are not proved",
	} {
		if !strings.Contains(p.seen.String(), part) {
			t.Errorf("%q is missing in\n%s", part, &p.seen)
		}
	}
}

func TestLogIsJSONWithoutTerminal(t *testing.T) {
	t.Parallel()
	p := serve(t, "--addr", "127.0.0.1:0")
	var record struct{ Msg, URL, Version string }
	if err := json.Unmarshal([]byte(p.seen.String()), &record); err != nil {
		t.Fatalf("%v in\n%s", err, &p.seen)
	}
	if record.Msg != "listening" || record.URL != p.url || record.Version == "" {
		t.Errorf("got %+v", record)
	}
}

func TestServes(t *testing.T) {
	t.Parallel()
	p := serve(t, "--addr", "localhost:0")
	if _, body := p.get(""); !strings.Contains(body, "<title>Parley</title>") {
		t.Error(body)
	}
	alice, bob := parleytest.DialURL(t, p.url+"ws/alice/", nil), parleytest.DialURL(t, p.url+"ws/bob/", nil)
	alice.Send(`{"message":"hello","to_user":"bob"}`)
	if got := bob.Receive(); got != `{"message":"hello","to_user":"bob"}` {
		t.Errorf("got %s", got)
	}
}

func TestOpenServer(t *testing.T) {
	t.Parallel()
	p := serve(t, "--addr", "0.0.0.0:0", "--open", "--log-format=text")
	p.until("Ctrl-C")
	if !strings.Contains(p.seen.String(), "names are not proved") {
		t.Error(p.seen.String())
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--version"}, {"--help"}, {"serve", "--help"}} {
		if out, err := command(t, args...).Output(); err != nil || len(out) == 0 {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
}
