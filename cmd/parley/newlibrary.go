package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// libraryPath is the library's module.
const libraryPath = "github.com/parley-rt/parley"

// library is what a project that uses it needs to know.
type library struct {
	Go       string   // the language version
	Requires []string // the modules it needs, each with its version
	dir      string
	sums     []byte // its go.sum
}

// Library returns the path of the module.
func (library) Library() string { return libraryPath }

// Dir returns the directory as go.mod has it: quoted where it holds more than
// what no path needs quotes for.
func (l library) Dir() string {
	if plainPath.MatchString(l.dir) {
		return l.dir
	}
	return strconv.Quote(l.dir)
}

var plainPath = regexp.MustCompile(`^[A-Za-z0-9/:._~+@-]+$`)

// findLibrary reads the library in a directory, "" for the one that this program
// was built from.
func findLibrary(dir string) (library, error) {
	dir, err := libraryDir(dir)
	if err != nil {
		return library{}, err
	}
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return library{}, err
	}
	l := library{dir: dir, sums: sums}
	return l, l.listModules()
}

// libraryDir finds the directory. A program that was built with -trimpath, or
// taken elsewhere, does not know it.
func libraryDir(dir string) (string, error) {
	if dir != "" {
		abs, err := filepath.Abs(dir)
		if err == nil && !holdsLibrary(abs) {
			err = fmt.Errorf("%s does not hold the module %s", dir, libraryPath)
		}
		return abs, err
	}
	_, file, _, _ := runtime.Caller(0)
	dir = filepath.Dir(filepath.Dir(filepath.Dir(file)))
	if !filepath.IsAbs(dir) || !holdsLibrary(dir) {
		return "", errors.New("the source that this program was built from is not here: name the library's directory with --library")
	}
	return dir, nil
}

func holdsLibrary(dir string) bool {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(mod)) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "module" {
			return fields[1] == libraryPath
		}
	}
	return false
}

// listModules asks the go command what the library's packages are made of.
func (l *library) listModules() error {
	const format = "{{with .Module}}{{.Path}} {{.Version}} {{.GoVersion}}{{end}}"
	cmd := exec.Command("go", "list", "-mod=readonly", "-deps", "-f", format, ".", "./parleytest")
	cmd.Dir = l.dir
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = errors.New(strings.TrimSpace(string(exit.Stderr)))
		}
		return fmt.Errorf("asking the go command about %s: %w", l.dir, err)
	}
	for line := range strings.Lines(string(out)) {
		switch module := strings.Fields(line); {
		case len(module) == 2 && module[0] == libraryPath:
			l.Go = module[1]
		case len(module) > 1:
			l.Requires = append(l.Requires, module[0]+" "+module[1])
		}
	}
	slices.Sort(l.Requires)
	l.Requires = slices.Compact(l.Requires)
	return nil
}
