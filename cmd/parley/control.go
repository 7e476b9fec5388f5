package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// controlName is the socket in the data directory of a running server. Whoever
// may open it, which is the server's own user, may ask for a backup.
const controlName = "control.sock"

// control serves the socket.
type control struct {
	dir    string
	socket os.FileInfo // to tell it from another server's, whose directory may be there by now
	server *http.Server
	stop   context.CancelFunc // ends what was asked for
	served chan error
}

// backupRequest is the body of POST /backup. The answer is 200, or the error as
// plain text.
type backupRequest struct {
	Dir string `json:"dir"` // an absolute path
}

// listenControl listens in a data directory that this process has locked: a
// socket that is there already is left from a process that was killed.
func listenControl(dir string, backup func(context.Context, string) error) (*control, error) {
	if err := removeControl(dir); err != nil {
		return nil, err
	}
	listener, err := listenIn(dir)
	if err != nil {
		return nil, err
	}
	socket, err := os.Lstat(filepath.Join(dir, controlName))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /backup", backupHandler(backup))
	c := &control{dir: dir, socket: socket, stop: stop, served: make(chan error, 1)}
	c.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	go func() { c.served <- c.server.Serve(listener) }()
	return c, nil
}

func removeControl(dir string) error {
	err := os.Remove(filepath.Join(dir, controlName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// listenIn listens on the socket, for this user alone.
func listenIn(dir string) (net.Listener, error) {
	var listener *net.UnixListener
	err := withSocket(dir, func(name string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false) // its name may be good for the moment only
	if err := os.Chmod(filepath.Join(dir, controlName), 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

func backupHandler(backup func(context.Context, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request backupRequest
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&request)
		if err == nil && !filepath.IsAbs(request.Dir) {
			err = fmt.Errorf("%q is not an absolute path", request.Dir)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := backup(r.Context(), request.Dir); err != nil {
			http.Error(w, told(err), http.StatusInternalServerError)
		}
	}
}

// Close cuts a backup short and waits for its end. It may be called on nil.
func (c *control) Close() error {
	if c == nil {
		return nil
	}
	c.stop()
	err := c.server.Shutdown(context.Background())
	if served := <-c.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if now, failed := os.Lstat(filepath.Join(c.dir, controlName)); failed != nil || !os.SameFile(now, c.socket) {
		return err
	}
	return errors.Join(err, removeControl(c.dir))
}

// socketBytes is how long a socket's path may be: 107 on Linux, less elsewhere.
const socketBytes = 103

// withSocket calls f with a path of the socket that is short enough, which may be
// good only during the call.
func withSocket(dir string, f func(name string) error) error {
	name := filepath.Join(dir, controlName)
	if len(name) <= socketBytes {
		return f(name)
	}
	if here, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(here, name); err == nil && len(short) <= socketBytes {
			return f(short)
		}
	}
	return withOpenDir(dir, f)
}

// withOpenDir has Linux find the directory by its descriptor.
func withOpenDir(dir string, f func(name string) error) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer opened.Close()
	short := fmt.Sprintf("/proc/self/fd/%d", opened.Fd())
	if _, err := os.Stat(short); err != nil {
		return fmt.Errorf("%s: the path is too long for a socket in it: %d bytes, at most %d", dir, len(dir), socketBytes-len(controlName)-1)
	}
	return f(short + "/" + controlName)
}
