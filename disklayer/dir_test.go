package disklayer

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
)

// TestLocked opens a directory that another process has.
func TestLocked(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("PARLEY_TEST_LOCK"); dir != "" {
		holdDirectory(dir)
	}
	dir := filepath.Join(t.TempDir(), "data")
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestLocked$")
	other.Env = append(os.Environ(), "PARLEY_TEST_LOCK="+dir)
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("the other process said %q", line)
	}
	if _, err := open(testConfig(dir)); err == nil || !strings.Contains(err.Error(), dir+" is in use by another process") {
		t.Errorf("opening while another process has it: %v", err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	_ = other.Wait() // it was killed, in effect
	l := mustOpen(t, testConfig(dir))
	link := l.Attach(&hub{keep: keepAll})
	if got, _ := texts(t, link, parley.User("bob"), parley.Cursor{}); len(got) != 1 {
		t.Errorf("the other process left %q", got)
	}
	if _, err := open(testConfig(dir)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opening twice in one process: %v", err)
	}
}

// holdDirectory is what the other process does.
func holdDirectory(dir string) {
	l, err := open(testConfig(dir))
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	if _, err := send(l.Attach(&hub{keep: keepAll}), parley.User("bob"), "hello", ""); err != nil {
		println(err.Error())
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString("open\n")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(1)
}

// TestDirectory opens directories that are none of Parley's, or damaged.
func TestDirectory(t *testing.T) {
	t.Parallel()
	write := func(name, text string) func(dir string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
	}
	for _, test := range []struct {
		name    string
		prepare func(dir string) error
		want    string
	}{
		{"empty", func(string) error { return nil }, ""},
		{"a disk's root", func(dir string) error { return os.Mkdir(filepath.Join(dir, "lost+found"), 0o700) }, ""},
		{"interrupted", write(lockFile, ""), ""},
		{"foreign", write("photo.jpg", "x"), "is not empty, and holds no data of Parley (photo.jpg, …)"},
		{"newer", write(versionFile, "parley data 2\n"), "was written by a newer Parley: its data has format 2, and this one knows 1"},
		{"not a version", write(versionFile, "hello"), "is damaged: its file VERSION"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := test.prepare(dir); err != nil {
				t.Fatal(err)
			}
			l, err := open(testConfig(dir))
			if err == nil {
				defer l.Close()
			}
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("opening: %v", err)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "data")} {
		if _, err := open(testConfig(dir)); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("opening a file: %v", err)
		}
	}
}

// TestPermissions looks at who may read a directory, and opens one that this user
// may not.
func TestPermissions(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("permissions are others here")
	}
	dir := filepath.Join(t.TempDir(), "data")
	l := mustOpen(t, testConfig(dir))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, filepath.Join(dir, dbDir)} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has %v, %v", name, info.Mode(), err)
		}
	}
	if os.Getuid() == 0 {
		t.Skip("root may do anything")
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := open(testConfig(dir)); err == nil || !strings.Contains(err.Error(), "this user may not use it") {
		t.Errorf("opening: %v", err)
	}
}

// TestDamaged opens a store with a table that was changed.
func TestDamaged(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	l := mustOpen(t, testConfig(dir))
	mustSend(t, l.Attach(&hub{keep: keepAll}), parley.User("bob"), "hello")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	manifests, err := filepath.Glob(filepath.Join(dir, dbDir, "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatal(manifests, err)
	}
	for _, name := range manifests {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range text[:len(text)/2] {
			text[i] ^= 0x55
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := open(testConfig(dir)); err == nil || !strings.Contains(err.Error(), "is damaged") && !strings.Contains(err.Error(), "data cannot be opened") {
		t.Errorf("opening: %v", err)
	} else {
		t.Log(err)
	}
}

// TestVersion reads forms of VERSION: those that Parley writes, and no others.
func TestVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"parley data 1\n":                             "",
		"parley data 1\ncopy\n":                       "",
		"parley data 1\nnew\n":                        "",
		"":                                            "it is empty",
		"parley data 1":                               "its first line does not end",
		"parley data 1\r\n":                           `"1\r" is not a number`,
		"parley data +1\n":                            `"+1" is not a number`,
		"parley data -1\n":                            `"-1" is not a number`,
		"parley data 01\n":                            `"01" is not a number`,
		"parley data 0\n":                             `"0" is not a number`,
		"parley data 0x1\n":                           `"0x1" is not a number`,
		"parley data \n":                              `"" is not a number`,
		"parley data  1\n":                            `" 1" is not a number`,
		"parley data 1 \n":                            `"1 " is not a number`,
		"parley data 1 x\n":                           `"1 x" is not a number`,
		"Parley data 1\n":                             `"Parley data 1"`,
		" parley data 1\n":                            `" parley data 1"`,
		"parley data 1\ncopy":                         `"copy"`,
		"parley data 1\n copy\n":                      `" copy\n"`,
		"parley data 1\nCOPY\n":                       `"COPY\n"`,
		"parley data 1\ncopycopy\n":                   `"copycopy\n"`,
		"parley data 1\ncopy\n\n":                     `"copy\n\n"`,
		"parley data 1\ncopy\nnew\n":                  `"copy\nnew\n"`,
		"parley data 1\n\n":                           `"\n"`,
		"parley data 1\n\x00":                         `"\x00"`,
		"parley data 2\n":                             "newer Parley: its data has format 2",
		"parley data 2\nmore\n":                       "newer Parley: its data has format 2",
		"parley data 99999999999999999999\n":          "newer Parley: its data has format 99999999999999999999",
		"parley data 1\n" + strings.Repeat("x", 5000): "x",
	} {
		_, err := parseVersion(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%.40q: the error is %d bytes", text, len(err.Error()))
		}
	}
}
