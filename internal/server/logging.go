package server

import (
	"io"
	"log/slog"
	"os"
)

// NewLogger returns a logger that writes to w in the configured format and
// level. Of lines of one text it logs ten a minute, and counts the rest.
func NewLogger(w io.Writer, cfg Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: cutLogged}
	if cfg.TextTo(w) {
		return slog.New(newQuiet(slog.NewTextHandler(w, options)))
	}
	return slog.New(newQuiet(slog.NewJSONHandler(w, options)))
}

// TextTo reports whether what is written to w is for people to read: w is a
// terminal, or --log-format says text.
func (c *Config) TextTo(w io.Writer) bool {
	if c.LogFormat == "text" || c.LogFormat == "json" {
		return c.LogFormat == "text"
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// leftOut returns how many lines a logger of NewLogger left out.
func leftOut(log *slog.Logger) int64 {
	if q, ok := log.Handler().(*quiet); ok {
		return q.said.leftOut.Load()
	}
	return 0
}
