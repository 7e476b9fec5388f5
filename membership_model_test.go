package parley_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/parley-rt/parley"
)

// model is what the connections of TestManyMemberships are members of.
type model struct {
	t      *testing.T
	hub    *parley.Hub
	groups []parley.Address
	conns  []*parley.Conn
	wires  []*wire
	joined []map[parley.Address]bool // by connection
}

// TestManyMemberships has connections join, leave and join again at random, where
// a connection's memberships turn from few to many, and others leave for good: a
// message gets to exactly the members.
func TestManyMemberships(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		for seed := range uint64(4) {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, seed))
				m := newModel(t, k)
				steps := 300
				if testing.Short() {
					steps = 50
				}
				for step := range steps {
					// The number that each is about to have goes up and down over the border.
					target := parley.Few + []int{-2, 0, 1, 6, 1, 0, -parley.Few}[step/5%7]
					for i := range m.conns {
						m.move(i, target, random)
					}
					m.check(step)
				}
				m.end()
			})
		}
	})
}

func newModel(t *testing.T, k kind) *model {
	t.Helper()
	m := &model{t: t, hub: k.hub(t, nil)}
	conns := make(chan *parley.Conn, 2)
	s := newSite(t, k.transport, m.hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error { conns <- c; return nil }}
	})
	m.groups = append(m.groups, parley.Everyone)
	for i := range 2 * parley.Few {
		m.groups = append(m.groups, parley.Group(strconv.Itoa(i)))
	}
	for range 3 {
		m.wires = append(m.wires, s.open(t))
		m.conns = append(m.conns, await(t, conns, "Connect"))
		m.joined = append(m.joined, make(map[parley.Address]bool))
	}
	return m
}

// move has a connection join or leave some at random, so that it gets nearer to
// being a member of so many.
func (m *model) move(i, target int, random *rand.Rand) {
	m.t.Helper()
	for range 4 {
		g := m.groups[random.IntN(len(m.groups))]
		join := len(m.joined[i]) < target
		if random.IntN(4) == 0 {
			join = !join
		}
		if !join {
			m.conns[i].Leave(g)
			delete(m.joined[i], g)
			continue
		}
		if err := m.conns[i].Join(g, nil); err != nil {
			m.t.Fatal(err)
		}
		m.joined[i][g] = true
	}
}

// check sends to all groups, and holds what each connection gets to the model.
func (m *model) check(step int) {
	m.t.Helper()
	for _, g := range m.groups {
		if err := m.hub.Send(m.t.Context(), g, parley.Text(g.String())); err != nil {
			m.t.Fatal(err)
		}
	}
	end := fmt.Sprint("end of ", step)
	for i, w := range m.wires {
		if err := m.conns[i].Reply(parley.Text(end)); err != nil {
			m.t.Fatal(err)
		}
		var got, want []string
		for {
			_, payload, err := w.read()
			if err != nil {
				m.t.Fatal(err)
			}
			if string(payload) == end {
				break
			}
			got = append(got, string(payload))
		}
		for _, g := range m.groups {
			if m.joined[i][g] {
				want = append(want, g.String())
			}
		}
		if !slices.Equal(got, want) {
			m.t.Fatalf("step %d: connection %d got %q, want %q", step, i, got, want)
		}
	}
}

// end has each leave all that it knows of, or be lost as it is.
func (m *model) end() {
	m.t.Helper()
	for i, w := range m.wires {
		if i == 0 {
			for g := range m.joined[i] {
				m.conns[i].Leave(g)
			}
			clear(m.joined[i])
			m.check(-1)
		}
		reset(m.t, w)
	}
	hubCloses(m.t, m.hub)
	if left := parley.Left(m.hub); left != "" {
		m.t.Error(left)
	}
}
