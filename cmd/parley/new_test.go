package main

import (
	"bytes"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newProject runs parley new.
func newProject(args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(append([]string{"new"}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// goCommand runs the go command in a project as without a network.
func goCommand(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// A project builds and passes its tests as it was made, also where its own path
// and the library's need care.
func TestNew(t *testing.T) {
	t.Parallel()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(t.TempDir(), "the library")
	if err := os.Symlink(checkout, linked); err != nil {
		t.Skip(err) // not every Windows user may
	}
	for name, args := range map[string][]string{"hello": nil, "Hello-2": {"--library", linked}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "deeper", name)
			code, out, errs := newProject(append(args, dir)...)
			if code != 0 || !strings.Contains(out, dir) || errs != "" {
				t.Fatalf("exit code %d, said %q and %q", code, out, errs)
			}
			goCommand(t, dir, "vet", "./...")
			goCommand(t, dir, "test", "./...")
			goCommand(t, dir, "build")
		})
	}
}

func TestNewFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "hello") // empty is as good as missing
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := newProject(dir); code != 0 {
		t.Fatal(errs)
	}
	for _, name := range []string{
		"main.go", "consumer.go", "consumer_test.go", "page/index.html", "page/app.js", "README.md", "go.mod", "go.sum", ".gitignore",
	} {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(text), "{{") || strings.Contains(string(text), "<no value>") {
			t.Errorf("%s: %s", name, text)
		}
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		if formatted, err := format.Source(text); err != nil || !bytes.Equal(formatted, text) {
			t.Errorf("%s is not formatted: %v", name, err)
		}
	}
}

// What is refused is told in one line, and nothing is made.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	used, file := filepath.Join(base, "used"), filepath.Join(base, "used", "file")
	if err := os.Mkdir(used, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want string
	}{
		"no name":        {nil, `expected "<name>"`},
		"digit first":    {[]string{filepath.Join(base, "2fast")}, `"2fast" is no name for a project`},
		"spaces":         {[]string{filepath.Join(base, "a b")}, `"a b" is no name for a project`},
		"not a letter":   {[]string{filepath.Join(base, "é")}, `"é" is no name for a project`},
		"too long":       {[]string{filepath.Join(base, strings.Repeat("x", 101))}, "is no name for a project"},
		"in use":         {[]string{used}, "is not empty"},
		"a file":         {[]string{file}, "file"},
		"no library":     {[]string{filepath.Join(base, "hello"), "--library", base}, "does not hold the module " + libraryPath},
		"not the root":   {[]string{filepath.Join(base, "hello"), "--library", "."}, "does not hold the module " + libraryPath},
		"no such folder": {[]string{filepath.Join(base, "hello"), "--library", filepath.Join(base, "none")}, "does not hold the module"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, out, errs := newProject(tt.args...)
			if code == 0 || out != "" || !strings.Contains(errs, tt.want) || strings.Count(errs, "\n") != 1 {
				t.Errorf("exit code %d, said %q and %q, want %q", code, out, errs, tt.want)
			}
		})
	}
	if left, err := filepath.Glob(filepath.Join(base, "*")); err != nil || !slices.Equal(left, []string{used}) {
		t.Errorf("there is %v, %v", left, err)
	}
}

func TestLibraryDirInGoMod(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{
		"/home/me/parley":  "/home/me/parley",
		`C:\Users\My Self`: `"C:\\Users\\My Self"`,
		"/home/me/a//b,c":  `"/home/me/a//b,c"`,
	} {
		if got := (library{dir: dir}).Dir(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
