package parley

import "sync"

// maxIdleRunners bounds the goroutines that wait for a connection with events;
// beyond, they end.
const maxIdleRunners = 256

// runners are the goroutines that handle connections' events. One that is done
// with a connection takes the next: its stack has grown already.
type runners struct {
	mu     sync.Mutex // guards what follows
	idle   []*runner  // the one that was busy last is the first to be used
	closed bool
}

type runner struct {
	next  chan *Conn // closed at the end
	ended chan struct{}
}

// start has the events of c handled.
func (r *runners) start(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.idle); n > 0 {
		free := r.idle[n-1]
		r.idle = r.idle[:n-1]
		free.next <- c
		return
	}
	go r.run(&runner{make(chan *Conn, 1), make(chan struct{})}, c)
}

func (r *runners) run(self *runner, c *Conn) {
	defer close(self.ended)
	for {
		c.run()
		if !r.rest(self) {
			return
		}
		next, ok := <-self.next
		if !ok {
			return
		}
		c = next
	}
}

// rest makes a runner idle, unless there are enough.
func (r *runners) rest(self *runner) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.idle) >= maxIdleRunners {
		return false
	}
	r.idle = append(r.idle, self)
	return true
}

// close ends the idle runners, and has busy ones end when they are done.
func (r *runners) close() {
	r.mu.Lock()
	idle := r.idle
	r.idle, r.closed = nil, true
	r.mu.Unlock()
	for _, free := range idle {
		close(free.next)
		<-free.ended
	}
}
