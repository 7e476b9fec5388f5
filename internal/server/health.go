package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/parley-rt/parley"
)

// healthInterval is how often the log is told whether messages can be kept, if
// that changed.
const healthInterval = time.Second

// healthLog tells when messages cannot be kept any more, and when they can again. One
// goroutine uses it.
type healthLog struct {
	check func() error
	log   *slog.Logger
	bad   bool // as it was told last
}

// watch logs until ctx ends.
func (h *healthLog) watch(ctx context.Context) {
	tick := time.NewTicker(healthInterval)
	defer tick.Stop()
	for {
		h.tell()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (h *healthLog) tell() {
	err := h.check()
	if bad := err != nil; bad != h.bad {
		h.bad = bad
		if bad {
			h.log.Error("messages cannot be kept", "err", err)
		} else {
			h.log.Info("messages can be kept again")
		}
	}
}

// health returns nil while messages can be kept, and when none are to be any more.
func (s *Server) health() error {
	err := s.hub.Health()
	if errors.Is(err, parley.ErrClosed) {
		return nil
	}
	return err
}

// whileHealthy answers with 503 while messages cannot be kept.
func (s *Server) whileHealthy(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.health(); err != nil {
			writePlain(w, http.StatusServiceUnavailable, publicReason(err))
			return
		}
		next(w, r)
	}
}

// publicReason is what anybody may be told; the log has the rest, with paths.
func publicReason(err error) string {
	const reason = "messages cannot be kept"
	told, ok := errors.AsType[*parley.Error](err)
	switch {
	case ok && strings.HasPrefix(told.Message, reason):
		return told.Message
	case ok:
		return reason + ": " + told.Message
	}
	return reason + ": the log says why"
}
