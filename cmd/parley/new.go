package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

// newCmd makes a small project that uses the library. It needs the library's
// source, since go.mod points there, and the go command.
type newCmd struct {
	Name    string `arg:"" help:"Directory to make; its last element is the project's name."`
	Library string `placeholder:"DIR" help:"Directory with the library's source. Default: the one that this program was built from."`
}

//go:embed templates
var templateFiles embed.FS

// Run makes the project.
func (n *newCmd) Run(s streams) error {
	dir, err := filepath.Abs(n.Name)
	if err != nil {
		return err
	}
	name := filepath.Base(dir)
	if err := errors.Join(checkProjectName(name), checkVacant(dir)); err != nil {
		return err
	}
	library, err := findLibrary(n.Library)
	if err != nil {
		return err
	}
	if err := makeProject(dir, project{Name: name, library: library}); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "made %s; go there, then:\n  go test ./...\n  go run .\n", dir)
	return nil
}

// projectName keeps to what is a module's name, a file's and a page's title.
var projectName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,99}$`)

func checkProjectName(name string) error {
	if !projectName.MatchString(name) {
		return fmt.Errorf("%q is no name for a project: use letters, digits, - and _, and a letter first", name)
	}
	return nil
}

// checkVacant returns an error if the directory holds something already.
func checkVacant(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty", dir)
	}
	return nil
}

// project is what the templates know.
type project struct {
	Name string
	library
}

// makeProject writes the files of a project.
func makeProject(dir string, p project) error {
	templates, err := fs.Sub(templateFiles, "templates")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	err = fs.WalkDir(templates, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if entry.IsDir() {
			return root.Mkdir(path, 0o755)
		}
		return makeFile(root, templates, path, p)
	})
	if err == nil {
		err = root.WriteFile("go.sum", p.sums, 0o644)
	}
	return errors.Join(err, root.Close())
}

// makeFile writes the file of a template, whose name ends in .tmpl so that the
// go command takes it for nothing else.
func makeFile(root *os.Root, templates fs.FS, path string, p project) error {
	t, err := template.ParseFS(templates, path)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := t.Execute(&text, p); err != nil {
		return err
	}
	name := strings.TrimSuffix(path, ".tmpl")
	if name == "gitignore" {
		name = ".gitignore"
	}
	return root.WriteFile(name, []byte(text.String()), 0o644)
}
