package server

import (
	"io"
	"log/slog"
	"os"
)

// NewLogger returns a logger that writes to w in the configured format and
// level.
func NewLogger(w io.Writer, cfg Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.TextTo(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
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
