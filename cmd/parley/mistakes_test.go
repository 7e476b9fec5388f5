package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMistakesAreToldInOneLine runs the binary as one must not.
func TestMistakesAreToldInOneLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for want, args := range map[string][]string{
		`expected`:     {},
		`unknown flag`: {"serve", "--nope"},
		`unexpected`:   {"serve", "now"},
		`parley: --addr: other machines can reach 0.0.0.0:0`:         {"serve", "--addr", "0.0.0.0:0"},
		`parley: --addr: other machines can reach :8000`:             {"serve", "--addr", ":8000"},
		`parley: --addr: "8000" is not HOST:PORT`:                    {"serve", "--addr", "8000"},
		`parley: --ping-interval: `:                                  {"serve", "--ping-interval", "25"},
		`parley: --message-bytes: `:                                  {"serve", "--message-bytes", "1MB"},
		`parley: --log-level: `:                                      {"serve", "--log-level", "loud"},
		`parley: --slow-reader: must be one of close, drop`:          {"serve", "--slow-reader", "wait"},
		`parley: --tls-cert and --tls-key: open ` + dir:              {"serve", "--addr", "127.0.0.1:0", "--tls-cert", dir + "/no", "--tls-key", dir + "/no"},
		`parley: --config: open ` + dir:                              {"serve", "--config", dir + "/no"},
		`parley: --config: ` + dir + `/1.json: unexpected EOF`:       {"serve", "--config", file(t, dir, "1.json", `{`)},
		`parley: --config: ` + dir + `/2.json: there is no flag --p`: {"serve", "--config", file(t, dir, "2.json", `{"p":1}`)},
		`parley: --config: ` + dir + `/3.json: more than one`:        {"serve", "--config", file(t, dir, "3.json", `{}{}`)},
		`parley: --config: ` + dir + `/4.json: there is no flag --c`: {"serve", "--config", file(t, dir, "4.json", `{"config":"x"}`)},
		`parley: --config: ` + dir + `/5.json: json: `:               {"serve", "--config", file(t, dir, "5.json", `[]`)},
		`parley: --receive-queue: `:                                  {"serve", "--config", file(t, dir, "6.json", `{"receive-queue":"many"}`)},
		`parley: --write-timeout: `:                                  {"serve", "--config", file(t, dir, "7.json", `{"write-timeout":10}`)},
		`parley: --open: `:                                           {"serve", "--config", file(t, dir, "8.json", `{"open":"perhaps"}`)},
		`parley: --addr: `:                                           {"serve", "--config", file(t, dir, "9.json", `{"addr":["127.0.0.1:0"]}`)},
		`parley: --origin: "https://a/b" is not an origin`:           {"serve", "--config", file(t, dir, "10.json", `{"origin":["https://a/b"]}`)},
		`parley: --durability: must be one of machine, process`:      {"serve", "--durability", "disk"},
		`parley: --data-bytes: must not be negative`:                 {"serve", "--data-bytes=-1"},
		`parley: --keep: user:*: "age=30" needs a duration`:          {"serve", "--keep", "user:* age=30"},
		`parley: --data: ` + dir + `/11/data cannot be made: `:       {"serve", "--data", file(t, dir, "11", "") + "/data"},
		`; --log-format: must be one of`:                             {"serve", "--addr=:0", "--log-format=xml"},
	} {
		wantMistake(t, want, args...)
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	p := serve(t, "--addr", "127.0.0.1:0")
	taken := strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), "/")
	wantMistake(t, "parley: --addr: listen tcp "+taken+": ", "serve", "--addr", taken)
}

// wantMistake expects one line on stderr, nothing else, and the exit code 1.
func wantMistake(t *testing.T, want string, args ...string) {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := command(t, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if code := exitCode(t, cmd.Run()); code != 1 {
		t.Errorf("%q: exit code %d", args, code)
	}
	said := stderr.String()
	if !strings.HasPrefix(said, "parley: ") || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 || stdout.Len() > 0 {
		t.Errorf("%q: want %q, got\n%s%s", args, want, said, &stdout)
	}
}

func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
