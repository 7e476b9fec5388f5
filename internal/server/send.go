package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"slices"
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
	bytes int           // the largest message
	room  chan struct{} // holds one for each message to a user that is on its way
}

// sendsAtOnce is how many messages to users may be on their way for requests: a
// disk that hangs is to hold up so many requests, and no more.
const sendsAtOnce = 1024

// sendAround is how much longer a body may be than the message: it has other fields.
const sendAround = 4 << 10

func newSendEndpoint(hub *parley.Hub, log *slog.Logger, bytes int) *sendEndpoint {
	return &sendEndpoint{hub: hub, log: log, bytes: bytes, room: make(chan struct{}, sendsAtOnce)}
}

// takesTooLong is told with the code Unavailable.
const takesTooLong = "it takes too long to keep the message"

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
	body, err := e.hub.ReadBody(w, r, e.bytes+sendAround)
	if err != nil {
		e.fail(w, err)
		return
	}
	state, err := e.send(r.Context(), body)
	if err != nil {
		e.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, "application/json", map[string]string{"state": state})
}

// send returns what became of the message in a body.
func (e *sendEndpoint) send(ctx context.Context, body []byte) (state string, err error) {
	order, err := parseSend(body)
	if err != nil {
		return "", err
	}
	name, toUser := strings.CutPrefix(order.to.String(), "user:")
	if toUser {
		order.data = forUser(order.data, name)
	}
	if n := len(order.data); n > e.bytes {
		return "", &parley.Error{Code: parley.TooLarge, Message: fmt.Sprintf("the message is %d bytes long, and may have %d (--message-bytes)", n, e.bytes)}
	}
	ctx, cancel := context.WithTimeout(ctx, sendWait)
	defer cancel()
	if toUser {
		return e.sendToUser(ctx, name, order)
	}
	if order.to == broadcast {
		order.options = append(order.options, notKept...)
	}
	return stateSent, e.hub.Send(ctx, order.to, parley.Message{Data: order.data}, order.options...)
}

func (e *sendEndpoint) sendToUser(ctx context.Context, name string, order sendOrder) (string, error) {
	type outcome struct {
		state string
		err   error
	}
	if err := e.takeRoom(ctx); err != nil {
		return "", err
	}
	sent := make(chan outcome, 1)
	sendToUser(ctx, e.hub, e.hub.SendAsync, name, parley.Message{Data: order.data}, func(state string, err error) {
		<-e.room
		sent <- outcome{state, err}
	}, order.options...)
	select {
	case o := <-sent:
		return o.state, o.err
	case <-ctx.Done():
		return "", &parley.Error{Code: parley.Unavailable, Message: takesTooLong + ", which may be kept all the same"}
	}
}

func (e *sendEndpoint) takeRoom(ctx context.Context) error {
	select {
	case e.room <- struct{}{}: // also for whoever does not wait any more
		return nil
	default:
	}
	select {
	case e.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &parley.Error{Code: parley.Unavailable, Message: takesTooLong}
	}
}

// forUser returns what a connection on /ws/{username}/ gets of a message that no
// such connection sent: {"message":DATA,"from":null,"to_user":NAME}, with the data
// to the byte. From is null, as a program has no user. It is made here rather than by
// an Encoder, as long as users have no other kind of connection.
func forUser(data []byte, name string) []byte {
	to, _ := parley.JSONMessage(name) // a string can be encoded
	return slices.Concat([]byte(`{"message":`), data, []byte(`,"from":null,"to_user":`), to.Data, []byte("}"))
}

// sendOrder is what a body asks for.
type sendOrder struct {
	to      parley.Address
	data    []byte // JSON, as it came
	options []parley.SendOption
}

// parseSend reads {"to":ADDRESS,"data":any JSON,"key":TEXT,"keep":bool}, of which
// the last two may be missing.
func parseSend(body []byte) (order sendOrder, err error) {
	if !utf8.Valid(body) { // it would make clients close their connections
		return order, badRequest("the body is not valid UTF-8")
	}
	fields, err := sendFields(body)
	if err != nil {
		return order, err
	}
	if order.data = bytes.Clone(fields["data"]); order.data == nil { // the body is freed
		return order, badRequest("data is missing")
	}
	if order.options, err = parseSendOptions(fields["key"], fields["keep"]); err != nil {
		return order, err
	}
	order.to, err = parseTo(fields["to"])
	return order, err
}

// sendFields returns the fields of a body, still encoded: each at most once, and none
// that is unknown.
func sendFields(body []byte) (map[string][]byte, error) {
	all, err := object(body)
	if err != nil {
		return nil, err
	}
	fields := make(map[string][]byte, 4)
	for all.more() {
		key, value := all.member()
		name, err := text(key, "a field's name")
		switch {
		case err != nil:
			return nil, err
		case !slices.Contains([]string{"to", "data", "key", "keep"}, name):
			return nil, badRequest("unknown field " + shorten(name))
		case fields[name] != nil:
			return nil, badRequest(name + " is there twice")
		}
		fields[name] = value
	}
	return fields, nil
}

func parseSendOptions(key, keep []byte) (options []parley.SendOption, err error) {
	if key != nil {
		text, err := text(key, "key")
		if err != nil {
			return nil, err
		}
		options = append(options, parley.Key(text))
	}
	switch string(keep) {
	case "":
	case "true", "false":
		options = append(options, parley.Keep(string(keep) == "true"))
	default:
		return nil, badRequest("keep is neither true nor false")
	}
	return options, nil
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
