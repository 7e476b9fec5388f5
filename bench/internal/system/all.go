package system

import (
	"fmt"
	"strings"
)

// All are the systems in the order of the tables; the first is what the others are compared with.
func All() []*System {
	return []*System{Parley, Gorilla, WS, SocketIO, Bun, Channels, ChannelsDict, Floor, FloorCoalescing}
}

// Select returns the systems of a comma-separated list of names, all of them for an empty one.
func Select(names string) ([]*System, error) {
	if names == "" {
		return All(), nil
	}
	var selected []*System
	for name := range strings.SplitSeq(names, ",") {
		s, err := find(name)
		if err != nil {
			return nil, err
		}
		selected = append(selected, s)
	}
	return selected, nil
}

func find(name string) (*System, error) {
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("unknown system %q; known are %s", name, strings.Join(Names(), ", "))
}

// Names are those of all systems.
func Names() []string {
	var names []string
	for _, s := range All() {
		names = append(names, s.Name)
	}
	return names
}
