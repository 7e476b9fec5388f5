package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// TestHealthIsLoggedWhenItChanges has the store fail twice, and for two reasons.
func TestHealthIsLoggedWhenItChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		said := []error{nil, errors.New("disk is full"), errors.New("it still is"), nil, nil, errors.New("fsync")}
		var at atomic.Int32
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(context.Background())
		h := &healthLog{check: func() error { return said[at.Load()] }, log: slog.New(slog.NewTextHandler(&log, nil))}
		go h.watch(ctx)
		for i := range said {
			at.Store(int32(i))
			time.Sleep(2 * healthInterval)
		}
		cancel()
		synctest.Wait()
		lost, again := strings.Count(log.String(), "messages cannot be kept"), strings.Count(log.String(), "kept again")
		if lost != 2 || again != 1 || !strings.Contains(log.String(), "disk is full") {
			t.Errorf("got\n%s", &log)
		}
	})
}

func TestPublicReason(t *testing.T) {
	t.Parallel()
	const once = "messages cannot be kept now"
	secret := errors.New("open /home/me/data: permission denied")
	full := fmt.Errorf("%w (%w)", &parley.Error{Code: parley.Unavailable, Message: "the store is full"}, secret)
	for err, want := range map[error]string{
		secret: "messages cannot be kept: the log says why",
		full:   "messages cannot be kept: the store is full",
		fmt.Errorf("%w (%w)", &parley.Error{Code: parley.Unavailable, Message: once}, secret): once,
	} {
		if got := publicReason(err); got != want {
			t.Errorf("got %s", got)
		}
	}
}
