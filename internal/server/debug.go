package server

import (
	"encoding/json"
	"expvar"
	"net/http"
	"net/http/pprof"

	"github.com/parley-rt/parley"
)

// debugRoutes returns the handler of everything at --debug-addr.
func (s *Server) debugRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/vars", s.vars)
	return s.localOnly(mux)
}

// vars shows the variables of package expvar, and the hub's counters as
// "parley", and how many lines the log left out. Publishing those would let a process have one server only.
func (s *Server) vars(w http.ResponseWriter, _ *http.Request) {
	all := make(map[string]any)
	expvar.Do(func(kv expvar.KeyValue) { all[kv.Key] = json.RawMessage(kv.Value.String()) })
	all["parley"] = counters(s.hub.Stats())
	all["log_left_out"] = leftOut(s.log)
	writeJSON(w, http.StatusOK, "application/json", all)
}

// counters names a hub's Stats as its log lines do.
func counters(s parley.Stats) map[string]int64 {
	return map[string]int64{
		"connections":   int64(s.Connections),
		"slow_dropped":  s.SlowDropped,
		"slow_closed":   s.SlowClosed,
		"dead_closed":   s.DeadClosed,
		"listen_missed": s.ListenMissed,
		"trimmed":       s.Trimmed,
		"gaps":          s.Gaps,
		"unfinished":    s.Unfinished,
		"no_room":       s.NoRoom,
		"claims_ended":  s.ClaimsEnded,
		"undeliverable": s.Undeliverable,
	}
}
