package server_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/server"
)

func TestDebugAddr(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{DebugAddr: "127.0.0.1:0"})
	s.dial("/ws/")
	base := "http://" + s.DebugAddr().String()
	var vars struct {
		Parley   map[string]int64
		Memstats map[string]any
	}
	got := s.do(http.MethodGet, base+"/debug/vars", "", nil)
	if err := json.Unmarshal([]byte(got.body), &vars); err != nil {
		t.Fatalf("%v in %s", err, got.body)
	}
	if vars.Parley["connections"] != 1 || len(vars.Memstats) == 0 {
		t.Errorf("got %+v", vars)
	}
	if counts := reflect.TypeFor[parley.Stats]().NumField(); len(vars.Parley) != counts {
		t.Errorf("got %v, and Stats has %d counters", vars.Parley, counts)
	}
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/cmdline"} {
		if got := s.do(http.MethodGet, base+path, "", nil); got.status != http.StatusOK || got.body == "" {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	foreign := s.do(http.MethodGet, base+"/debug/vars", "", map[string]string{"Host": "evil.example"})
	wantProblem(t, foreign, http.StatusForbidden, "forbidden")
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestDebugIsOffByDefault(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	if s.DebugAddr() != nil {
		t.Errorf("it listens on %v", s.DebugAddr())
	}
	for _, path := range []string{"/debug/vars", "/debug/pprof/"} {
		if got := s.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if banner := s.Banner("v1"); strings.Contains(banner, "Debug") {
		t.Error(banner)
	}
}
