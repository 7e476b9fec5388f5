package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/disklayer"
	"github.com/parley-rt/parley/internal/server"
)

// data is the data directory of a running server, and the socket in it.
type data struct {
	layer   *disklayer.Layer
	control *control
}

// openData opens the data directory that a configuration names, and makes its
// path absolute there. It returns nil where nothing is to be stored.
func openData(options *server.Config, log *slog.Logger) (*data, error) {
	if !options.Stores() {
		return nil, nil
	}
	dir, err := dataDir(options.Data)
	if err != nil {
		return nil, err
	}
	options.Data = dir
	layer, err := disklayer.Open(dir, &disklayer.Options{
		Durability: durabilities[options.Durability],
		MaxBytes:   options.DataBytes,
		Logger:     log,
	})
	if err != nil {
		return nil, errors.New("--data: " + told(err))
	}
	control, err := listenControl(dir, func(ctx context.Context, to string) error { return layer.Backup(ctx, to, nil) })
	if err != nil && layer.Health() == nil {
		return nil, errors.Join(fmt.Errorf("--data: %w", err), layer.Close())
	}
	if err != nil { // the directory cannot be written, and what is in it is read
		log.Warn("parley backup cannot ask this server until it is started again", "data", dir, "err", err)
	}
	return &data{layer, control}, nil
}

// told returns an error's text without the name of the package that it is from.
func told(err error) string { return strings.TrimPrefix(err.Error(), "disklayer: ") }

// durabilities are the values of --durability.
var durabilities = map[string]disklayer.Durability{"machine": disklayer.Machine, "process": disklayer.Process}

// dataDir returns the absolute path of a --data, where empty is the default.
func dataDir(name string) (string, error) {
	dir, err := filepath.Abs(kong.ExpandPath(cmp.Or(name, server.DefaultData)))
	if err != nil {
		return "", fmt.Errorf("--data: %w", err)
	}
	return dir, nil
}

// kept returns the layer for the server, nil where nothing is stored.
func (d *data) kept() parley.Layer {
	if d == nil {
		return nil
	}
	return d.layer
}

// Close ends a backup in progress and closes the directory. It is called after the
// hub is closed, and may be on nil.
func (d *data) Close() error {
	if d == nil {
		return nil
	}
	return errors.Join(d.control.Close(), d.layer.Close())
}
