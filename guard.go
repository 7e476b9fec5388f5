package parley

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// endedGoroutine is logged of a call that ended its goroutine with runtime.Goexit.
const endedGoroutine = "a call ended its goroutine"

// failure says how a call of the program failed. The guard covers the methods of the
// program's errors: nothing else calls them.
type failure struct {
	told   *Error // what the client is told
	text   string // for the log
	closed bool   // the error is ErrClosed
	putOff bool   // the error is that too much waits for a connection to be accepted
	late   bool   // the error is that a deadline passed
}

// guard makes a call. It returns nil for no error and for a nil *Error. A panic is a
// failure. The call may end its goroutine.
func guard(name string, f func() error) (failed *failure) {
	defer func() {
		if v := recover(); v != nil {
			failed = &failure{told: internal(), text: panicked(name, v)}
		}
	}()
	return judge(f())
}

// judge calls methods of the program's error: it may panic, or end its goroutine.
func judge(err error) *failure {
	if err = genuine(err); err == nil {
		return nil
	}
	return &failure{
		told:   public(err),
		text:   err.Error(),
		closed: errors.Is(err, ErrClosed),
		putOff: errors.Is(err, errMuchPutOff),
		late:   errors.Is(err, context.DeadlineExceeded),
	}
}

// panicked says what panicked, and with what stack.
func panicked(name string, v any) string {
	return fmt.Sprintf("panic in %s: %v\n%s", name, v, debug.Stack())
}

// genuine returns err, or nil for a nil *Error. A function that returns the *Error of
// another one as an error returns a nil *Error for success.
func genuine(err error) error {
	if e, ok := err.(*Error); ok && e == nil {
		return nil
	}
	return err
}

// errorText returns the text of a program's error. It may end its goroutine.
func errorText(err error) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = panicked("Error", v)
		}
	}()
	return err.Error()
}
