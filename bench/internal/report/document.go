package report

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"text/template"

	"github.com/parley-rt/parley/bench/internal/result"
)

//go:embed document.md.tmpl
var documentText string

var document = template.Must(template.New("document").Funcs(template.FuncMap{"bytes": Bytes, "figure": Figure}).Parse(documentText))

// Section is one scenario's part of the document.
type Section struct {
	Title  string
	About  string // Markdown
	Tables []Table
}

// Noise is what other processes did while a cell was measured, in cores.
type Noise struct {
	Median, Max float64
	Known       bool
}

// WriteDocument writes the whole document.
func WriteDocument(w io.Writer, f *result.File, noise Noise, sections []Section) error {
	data := struct {
		*result.File
		Noise    Noise
		Sections []Section
	}{f, noise, sections}
	var b strings.Builder
	if err := document.Execute(&b, data); err != nil {
		return fmt.Errorf("fill in the document: %w", err)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// WriteTables writes all tables for a terminal.
func WriteTables(w io.Writer, sections []Section) error {
	for _, section := range sections {
		for _, table := range section.Tables {
			if err := table.WriteText(w); err != nil {
				return fmt.Errorf("write the tables: %w", err)
			}
		}
	}
	return nil
}
