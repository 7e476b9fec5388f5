package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parley-rt/parley"
)

// sendWait bounds how long a request waits for room in the loops' mailboxes.
const sendWait = 10 * time.Second

// shuttingDown is told with the code Unavailable.
const shuttingDown = "the server is shutting down"

// sendEndpoint is POST /v1/send: a program's way to send without a connection.
type sendEndpoint struct {
	hub   *parley.Hub
	log   *slog.Logger
	bytes int64 // the largest body
}

func (e *sendEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeProblem(w, http.StatusMethodNotAllowed, parley.BadRequest, "send with POST")
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		writeProblem(w, http.StatusUnsupportedMediaType, parley.BadRequest, "the Content-Type must be application/json")
		return
	}
	body, err := e.body(w, r)
	if err == nil {
		err = e.send(r.Context(), body)
	}
	if err != nil {
		e.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, "application/json", map[string]string{"state": stateSent})
}

func (e *sendEndpoint) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, e.bytes))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &parley.Error{Code: parley.TooLarge, Message: fmt.Sprintf("the body is larger than %d bytes", e.bytes)}
	}
	if err != nil {
		return nil, badRequest("the body did not arrive: " + err.Error())
	}
	return body, nil
}

func (e *sendEndpoint) send(ctx context.Context, body []byte) error {
	to, data, err := parseSend(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendWait)
	defer cancel()
	if name, ok := strings.CutPrefix(to.String(), "user:"); ok {
		m, err := parley.JSONMessage(forUser{Message: data, ToUser: name})
		if err != nil {
			return err
		}
		return sendToUser(ctx, e.hub, name, m, e.hub.Send)
	}
	return e.hub.Send(ctx, to, parley.Message{Data: data})
}

// forUser is what a connection on /ws/{username}/ gets of a message that no
// such connection sent. It is made here rather than by an Encoder, as long as
// users have no other kind of connection.
type forUser struct {
	Message json.RawMessage `json:"message"`
	From    *string         `json:"from"` // null: a program has no user
	ToUser  string          `json:"to_user"`
}

// parseSend reads {"to":ADDRESS,"data":any JSON}.
func parseSend(body []byte) (to parley.Address, data json.RawMessage, err error) {
	if !utf8.Valid(body) { // it would make clients close their connections
		return to, nil, badRequest("the body is not valid UTF-8")
	}
	var fields map[string]json.RawMessage // a struct would take "TO" for "to"
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return to, nil, badRequest("the body is not a JSON object")
	}
	for name := range fields {
		if name != "to" && name != "data" {
			return to, nil, badRequest("unknown field " + name)
		}
	}
	if fields["data"] == nil {
		return to, nil, badRequest("data is missing")
	}
	to, err = parseTo(fields["to"])
	return to, fields["data"], err
}

func parseTo(value []byte) (to parley.Address, err error) {
	address, err := text(value, "to")
	if err != nil {
		return to, err
	}
	if strings.HasPrefix(address, "conn:") {
		return to, badRequest("to is everyone, group:NAME or user:NAME")
	}
	return parley.ParseAddress(address)
}

// fail answers with the problem that err is.
func (e *sendEndpoint) fail(w http.ResponseWriter, err error) {
	if errors.Is(err, parley.ErrClosed) {
		err = &parley.Error{Code: parley.Unavailable, Message: shuttingDown}
	}
	told, ok := errors.AsType[*parley.Error](err)
	if !ok {
		e.log.Error("sending failed", "err", err)
		told = &parley.Error{Code: parley.Internal, Message: "internal error"}
	}
	writeProblem(w, told.Code.HTTPStatus(), told.Code, told.Message)
}
