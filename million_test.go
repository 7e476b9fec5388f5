//go:build !race

package parley

import (
	"fmt"
	"net"
	"runtime"
	"testing"
)

// TestStressMillion makes a million users, each in a group of its own, and holds
// what an address costs to a bound. The connections have no sockets: there are not
// that many descriptors.
func TestStressMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and half a gigabyte")
	}
	const users, most = 1_000_000, 900
	hub := NewHub(nil)
	t.Cleanup(func() { _ = hub.Close(t.Context()) })
	h := &handler{hub: hub, plain: newProto(Base{})}
	conns := make([]*Conn, users)
	for i := range conns {
		conns[i] = &Conn{handler: h, consumer: Base{}}
		if err := hub.engine.Open(&conns[i].sock, noSocket{}, nil, (*events)(conns[i])); err != nil {
			t.Fatal(err)
		}
	}
	before := heap()
	for i, c := range conns {
		if err := c.Identify(userName(i), nil); err != nil {
			t.Fatal(err)
		}
		if err := c.Join(Group(groupName(i)), nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < users; i += users / 10 { // each question goes through the loop, behind the joins
		for _, of := range []Address{User(userName(i)), Group(groupName(i))} {
			for m, err := range hub.Members(t.Context(), of) {
				if err != nil || m.User != userName(i) || m.Connections != 1 {
					t.Errorf("%v has the member %v, %v", of, m, err)
				}
			}
		}
	}
	each := (heap() - before) / users
	t.Logf("a user and a group of one cost %d bytes", each)
	if each > most {
		t.Errorf("they cost %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(conns)
}

func userName(i int) string { return fmt.Sprintf("user-%07d", i) }

func groupName(i int) string { return fmt.Sprintf("group-%07d", i) }

// heap returns the bytes in use after a collection.
func heap() int {
	runtime.GC()
	runtime.GC() // what finalizers held, and pools
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// noSocket is a connection that is never read or written.
type noSocket struct{ net.Conn }

func (noSocket) Close() error { return nil }

// TestStressMillionReleased makes and releases as many topics: the table keeps nothing
// of them.
func TestStressMillionReleased(t *testing.T) {
	const users = 1_000_000
	table, p := newTable(), newProto(Base{})
	before := heap()
	topics := make([]*topic, users)
	for i := range topics {
		topics[i] = table.hold(User(userName(i)), p)
	}
	full := heap() - before
	for _, held := range topics[:users-users/1000] {
		table.release(held)
	}
	topics = topics[users-users/1000:]
	topics = append(make([]*topic, 0, len(topics)), topics...)
	left := heap() - before
	t.Logf("%d topics took %d MiB, and %d of them take %d MiB", users, full>>20, len(topics), left>>20)
	if left > full/100 {
		t.Errorf("of %d bytes %d are left", full, left)
	}
	runtime.KeepAlive(topics)
	runtime.KeepAlive(table)
}

// TestMembershipsReleased joins and leaves many addresses: the connection keeps next to
// nothing of them.
func TestMembershipsReleased(t *testing.T) {
	const n = 10_000
	var ms memberships
	all := make([]*membership, n)
	for i := range all {
		all[i] = &membership{topic: &topic{name: userName(i), kind: kindUser}}
	}
	before := heap()
	for i, m := range all {
		ms.add(m, i)
	}
	full := heap() - before
	for _, m := range all[:n-10] {
		ms.remove(m)
	}
	if left := heap() - before; left > full/20 {
		t.Errorf("of %d bytes %d are left", full, left)
	}
	runtime.KeepAlive(&ms)
	runtime.KeepAlive(all)
}

// TestMemoryKeysReleased has all but a few of the keys expire that a layer remembers:
// it keeps next to nothing of the others.
func TestMemoryKeysReleased(t *testing.T) {
	const few = 10
	var shards [memoryShards]memoryKeys
	before := heap()
	for s := range shards {
		for i := range maxMemoryKeys {
			key := memoryKey{User("bob"), fmt.Sprintf("key-%d-%d", s, i)}
			shards[s].add(&memoryKeyed{memoryKey: key, time: int64(i)})
		}
	}
	full := heap() - before
	for s := range shards {
		shards[s].expire(int64(memoryKeyWindow) + maxMemoryKeys - few)
		if n := shards[s].known.Len(); n != few {
			t.Errorf("%d keys are left, want %d", n, few)
		}
	}
	left := heap() - before
	t.Logf("%d keys took %d KiB, and %d of them take %d KiB", memoryShards*maxMemoryKeys, full>>10, memoryShards*few, left>>10)
	if left > full/100 {
		t.Errorf("of %d bytes %d are left", full, left)
	}
	runtime.KeepAlive(&shards)
}
