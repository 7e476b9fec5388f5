package scenario

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/report"
)

// fate is what became of a receiver that did not read for a long time.
type fate struct {
	expected int
	next     int // the number that continues what it got
	received int
	gaps     int
	cause    error // why the connection ended, nil if it is still open
}

// Message counts what the receiver finds waiting.
func (f *fate) Message(_ *load.Conn, text []byte) {
	n, ok := number(text)
	if !ok {
		return
	}
	if n != f.next {
		f.gaps++
	}
	f.next = n + 1
	f.received++
}

// Closed notes how the connection ended.
func (f *fate) Closed(_ *load.Conn, cause error) { f.cause = cause }

func (f *fate) String() string {
	return fmt.Sprintf("%s; got %s of %s%s", f.ending(), report.Count(f.received), report.Count(f.expected), f.holes())
}

func (f *fate) ending() string {
	closing, asked := errors.AsType[*load.CloseError](f.cause)
	switch {
	case f.cause == nil:
		return "kept"
	case asked:
		return "closed with " + closing.Error()
	case errors.Is(f.cause, io.EOF):
		return "closed without a close frame"
	case errors.Is(f.cause, unix.ECONNRESET):
		return "reset"
	default:
		return f.cause.Error()
	}
}

func (f *fate) holes() string {
	switch {
	case f.gaps == 1:
		return ", with a gap"
	case f.gaps > 1:
		return fmt.Sprintf(", with %d gaps", f.gaps)
	case f.cause == nil && f.received < f.expected:
		return ", the rest silently missing"
	default:
		return ""
	}
}
