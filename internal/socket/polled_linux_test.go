package socket

import "testing"

// TestTransports has the kinds of connections that the tests are run on be moved
// as their names say.
func TestTransports(t *testing.T) {
	t.Parallel()
	for i, k := range kinds {
		server, _ := k.pair(t)
		c := open(t, newTestEngine(t, k.config()), server, newRecorder())
		if _, is := c.io.(*polled); is != (i < 2) {
			t.Errorf("%s is moved by a %T", k.name, c.io)
		}
	}
}
