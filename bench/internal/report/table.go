// Package report turns results into tables, for a terminal and for a document.
package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// None stands in a table where there is no value.
const None = "–"

// Table is a titled table with remarks below it. The first column is text, the others are figures.
type Table struct {
	Title   string
	Columns []string
	Rows    [][]string
	Notes   []string
}

// WriteText writes the table in columns of equal width.
func (t Table) WriteText(w io.Writer) error {
	lines := append([][]string{t.Columns}, t.Rows...)
	widths := columnWidths(lines)
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", t.Title)
	for _, line := range lines {
		for i, cell := range line {
			writeCell(&b, cell, widths[i], i == 0)
		}
		b.WriteByte('\n')
	}
	for _, note := range t.Notes {
		fmt.Fprintf(&b, "  %s\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func columnWidths(lines [][]string) []int {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func writeCell(b *strings.Builder, cell string, width int, left bool) {
	padding := strings.Repeat(" ", width-utf8.RuneCountInString(cell))
	if left {
		b.WriteString(cell + padding)
		return
	}
	b.WriteString("  " + padding + cell)
}

// Markdown is the table as Markdown, without its title.
func (t Table) Markdown() string {
	var b strings.Builder
	writeRow(&b, t.Columns)
	b.WriteString("|---|" + strings.Repeat("---:|", len(t.Columns)-1) + "\n")
	for _, row := range t.Rows {
		writeRow(&b, row)
	}
	if len(t.Notes) > 0 {
		b.WriteByte('\n')
	}
	for _, note := range t.Notes {
		fmt.Fprintf(&b, "- %s\n", escape(note))
	}
	return b.String()
}

func writeRow(b *strings.Builder, cells []string) {
	for _, cell := range cells {
		fmt.Fprintf(b, "| %s ", escape(cell))
	}
	b.WriteString("|\n")
}

func escape(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}
