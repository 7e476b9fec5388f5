package scenario

import (
	"fmt"
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/parley-rt/parley/bench/internal/load"
)

func TestFate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		numbers []int
		cause   error
		want    string
	}{
		{[]int{5, 6, 7}, nil, "kept; got 3 of 3"},
		{[]int{5}, nil, "kept; got 1 of 3, the rest silently missing"},
		{[]int{5, 7}, nil, "kept; got 2 of 3, with a gap"},
		{[]int{6, 8}, nil, "kept; got 2 of 3, with 2 gaps"},
		{nil, io.EOF, "closed without a close frame; got 0 of 3"},
		{[]int{5}, fmt.Errorf("read: %w", unix.ECONNRESET), "reset; got 1 of 3"},
		{[]int{5}, &load.CloseError{Code: 1008, Reason: "slow"}, "closed with close code 1008 (slow); got 1 of 3"},
	}
	for _, test := range tests {
		f := &fate{expected: 3, next: 5}
		for _, n := range test.numbers {
			f.Message(nil, textMessage(20).with(n))
		}
		if test.cause != nil {
			f.Closed(nil, test.cause)
		}
		if got := f.String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
