package report

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Figure writes a value with three significant digits, fewer where it is small, and with k or M where it is large.
func Figure(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v), math.IsInf(v, 0):
		return None
	case size >= 999.5e3:
		return digits(v/1e6) + "M"
	case size >= 9995:
		return digits(v/1e3) + "k"
	default:
		return digits(v)
	}
}

func digits(v float64) string {
	switch size := math.Abs(v); {
	case size >= 99.95 || size == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 0.0995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

// Span writes a length of time: whole seconds or milliseconds.
func Span(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// Count writes a whole number with separators between thousands.
func Count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Bytes writes a size in bytes, KB (of 1,000) or MB.
func Bytes(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return None
	case size >= 1e6:
		return digits(v/1e6) + " MB"
	case size >= 1e3:
		return digits(v/1e3) + " KB"
	default:
		return fmt.Sprintf("%.0f B", v)
	}
}

// Ratio writes how many times base v is; nothing when there is no base to compare with.
func Ratio(v, base float64) string {
	if base <= 0 || math.IsNaN(base) || math.IsNaN(v) {
		return None
	}
	return digits(v/base) + "×"
}

// WithRatio writes a value and its ratio to base.
func WithRatio(text string, v, base float64) string {
	ratio := Ratio(v, base)
	if ratio == None {
		return text
	}
	return text + " (" + ratio + ")"
}
