package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/parley-rt/parley/disklayer"
)

// backupCmd is parley backup. The server that uses the data directory writes the
// copy, where there is one; else the command does.
type backupCmd struct {
	Dir  string `arg:"" help:"Directory to copy to; missing or empty. A server that is started on it begins a new epoch: cursors of clients mean nothing there."`
	Data string `default:"parley-data" placeholder:"DIR" help:"The data directory to copy, of a running server or of none. Default: parley-data."`
}

// Run copies what is kept as it is at one moment.
func (b *backupCmd) Run(s streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	from, err := dataDir(b.Data)
	if err != nil {
		return err
	}
	to, err := filepath.Abs(b.Dir)
	if err != nil {
		return err
	}
	if err := checkBackup(from, to); err != nil {
		return err
	}
	err = askForBackup(ctx, from, to)
	if errors.Is(err, errNoServer) {
		err = copyData(ctx, from, to)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s is a copy of %s\n", to, from)
	return nil
}

// checkBackup refuses what would make a data directory, or grow one into itself.
func checkBackup(from, to string) error {
	entries, err := os.ReadDir(from)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return fmt.Errorf("--data: there is no data in %s", from)
	case err != nil:
		return fmt.Errorf("--data: %w", err)
	}
	if inside, err := filepath.Rel(from, to); err == nil && filepath.IsLocal(inside) {
		return fmt.Errorf("%s is in the data directory", to)
	}
	return checkVacant(to)
}

// errNoServer says that no process serves a data directory.
var errNoServer = errors.New("no server uses the directory")

// askForBackup has the server of a data directory write a copy.
func askForBackup(ctx context.Context, from, to string) error {
	body, err := json.Marshal(backupRequest{Dir: to})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://parley/backup", bytes.NewReader(body))
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialControl(ctx, from) }}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("asking the server of %s: %w", from, err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(said)))
	}
	return err
}

func dialControl(ctx context.Context, dir string) (nc net.Conn, err error) {
	err = withSocket(dir, func(name string) (err error) {
		nc, err = new(net.Dialer).DialContext(ctx, "unix", name)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, errNoServer
	}
	return nc, err
}

// copyData copies a data directory that no server uses, and changes nothing there.
func copyData(ctx context.Context, from, to string) error {
	layer, err := disklayer.Open(from, &disklayer.Options{ReadOnly: true})
	if err != nil {
		return errors.New("--data: " + told(err))
	}
	if err := errors.Join(layer.Backup(ctx, to, nil), layer.Close()); err != nil {
		return errors.New(told(err))
	}
	return nil
}
