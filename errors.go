package parley

import (
	"errors"
	"net/http"
)

// ErrClosed is returned, wrapped in nothing, for what is asked of a connection
// or a hub that is closed.
var ErrClosed = errors.New("parley: closed")

// Code says what kind an [Error] is. Codes are the same on every wire.
type Code string

// The codes there are.
const (
	BadRequest      Code = "bad_request"
	Unauthenticated Code = "unauthenticated"
	Forbidden       Code = "forbidden"
	NotFound        Code = "not_found"
	TooLarge        Code = "too_large"
	RateLimited     Code = "rate_limited"
	Conflict        Code = "conflict"
	Unavailable     Code = "unavailable"
	Internal        Code = "internal"
)

// codes says how each code is told in HTTP and in a close frame.
var codes = map[Code]struct {
	status int
	close  CloseCode
}{
	BadRequest:      {http.StatusBadRequest, ClosePolicyViolation},
	Unauthenticated: {http.StatusUnauthorized, CloseUnauthenticated},
	Forbidden:       {http.StatusForbidden, ClosePolicyViolation},
	NotFound:        {http.StatusNotFound, ClosePolicyViolation},
	TooLarge:        {http.StatusRequestEntityTooLarge, CloseTooLarge},
	RateLimited:     {http.StatusTooManyRequests, CloseTryAgainLater},
	Conflict:        {http.StatusConflict, ClosePolicyViolation},
	Unavailable:     {http.StatusServiceUnavailable, CloseTryAgainLater},
	Internal:        {http.StatusInternalServerError, CloseInternalError},
}

// HTTPStatus returns the status of a response that tells the code: 500 for one
// that is not in the list.
func (c Code) HTTPStatus() int {
	if k, ok := codes[c]; ok {
		return k.status
	}
	return http.StatusInternalServerError
}

// CloseCode returns the close code of a connection that ends for the code.
func (c Code) CloseCode() CloseCode {
	if k, ok := codes[c]; ok {
		return k.close
	}
	return CloseInternalError
}

// Error is the one error that clients are told. Every other one reaches them as
// [Internal], without its text, and is logged. A nil *Error that a program returns
// as an error is no error.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"` // for a person; at most 123 bytes fit a close frame
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// public returns what a client is told of err, which is not nil. Methods of the
// program's errors are called.
func public(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		return e
	}
	return internal()
}

// internal returns what clients are told of errors that are not for them.
func internal() *Error { return &Error{Internal, "internal error"} }
