package system

import (
	"strings"
	"testing"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	all, err := Select("")
	if err != nil || len(all) != len(All()) || all[0] != Parley {
		t.Errorf("all: got %d systems, %v", len(all), err)
	}
	some, err := Select("ws,gorilla")
	if err != nil || len(some) != 2 || some[0] != WS || some[1] != Gorilla {
		t.Errorf("some: got %v, %v", some, err)
	}
	if _, err := Select("gorilla,other"); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("an unknown one: got %v", err)
	}
}

func TestMemoryAnswers(t *testing.T) {
	t.Parallel()
	got, err := decodeGo(strings.NewReader(`{"cmdline":["x"],"memstats":{"Alloc":1,"HeapInuse":2000,"StackInuse":300}}`))
	if want := (Memory{Heap: 2000, Stacks: 300}); err != nil || got != want {
		t.Errorf("of Go: got %+v, %v; want %+v", got, err, want)
	}
	got, err = decodeScript(strings.NewReader(`{"heap":2000}`))
	if want := (Memory{Heap: 2000, Stacks: -1}); err != nil || got != want {
		t.Errorf("of a script: got %+v, %v; want %+v", got, err, want)
	}
	if _, err := decodeGo(strings.NewReader("not found")); err == nil {
		t.Error("an answer that is not JSON was taken")
	}
}
