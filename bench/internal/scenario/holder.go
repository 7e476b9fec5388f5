package scenario

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/system"
)

// holderArg as its first argument makes this program a holder: a process that holds a part of a crowd's connections.
const holderArg = "hold-connections"

// What a holder is asked for, a line each; the answer is a line too, "ok" or what went wrong.
const (
	askOpen    = "open"
	askCheck   = "check"   // and how many connections
	askCatchUp = "catchup" // instead of open; and how many messages each user got and how many of them it has read
	askQuiet   = "quiet"   // whether nothing came unasked
	answerOK   = "ok"
)

// task is a holder's part.
type task struct {
	addr         netip.AddrPort
	prefix       string // of the path, before a user's name
	first, count int    // its users
	limit        time.Duration
}

func (t task) args() []string {
	return []string{holderArg, t.addr.String(), t.prefix, strconv.Itoa(t.first), strconv.Itoa(t.count), t.limit.String()}
}

func parseTask(args []string) (task, error) {
	var t task
	if len(args) != len(t.args()) {
		return t, errors.New("wrong number of arguments")
	}
	var errs [4]error
	t.addr, errs[0] = netip.ParseAddrPort(args[1])
	t.prefix = args[2]
	t.first, errs[1] = strconv.Atoi(args[3])
	t.count, errs[2] = strconv.Atoi(args[4])
	t.limit, errs[3] = time.ParseDuration(args[5])
	return t, errors.Join(errs[:]...)
}

// holder is a started holder process.
type holder struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
}

// startHolder runs this program again, with a lower priority; the process ends with ctx at the latest.
func startHolder(ctx context.Context, t task) (*holder, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own executable: %w", err)
	}
	cmd := exec.CommandContext(ctx, "nice", append([]string{"-n", "10", program}, t.args()...)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	orders, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a holder: %w", err)
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a holder: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a holder: %w", err)
	}
	return &holder{cmd: cmd, orders: orders, answers: bufio.NewReader(answers)}, nil
}

func (h *holder) ask(order string) error {
	if _, err := fmt.Fprintln(h.orders, order); err != nil {
		return fmt.Errorf("ask a holder: %w", err)
	}
	return nil
}

// do asks, and waits until it is done.
func (h *holder) do(order string) error {
	if err := h.ask(order); err != nil {
		return err
	}
	return h.await()
}

func (h *holder) await() error {
	answer, err := h.answers.ReadString('\n')
	if err != nil {
		return fmt.Errorf("hear from a holder: %w", err)
	}
	if answer = strings.TrimSpace(answer); answer != answerOK {
		return fmt.Errorf("a holder: %s", answer)
	}
	return nil
}

// end lets the process close its connections, which it does when there are no more orders, and waits for it.
func (h *holder) end() {
	_ = h.orders.Close() // it may have ended already
	_ = h.cmd.Wait()     // what went wrong it has answered
}

// IsHolder says whether the command line is that of a holder.
func IsHolder(args []string) bool { return len(args) > 1 && args[1] == holderArg }

// Hold is the whole program of a holder; the exit code is for main.
func Hold(args []string) (code int) {
	t, err := parseTask(args[1:])
	if err == nil {
		err = hold(context.Background(), t, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "holder:", err)
		return 1
	}
	return 0
}

// hold carries out orders until there are no more.
func hold(ctx context.Context, t task, orders io.Reader, answers io.Writer) error {
	loop, err := load.New(ctx, t.limit)
	if err != nil {
		return err
	}
	b := &bench{loop: loop, to: load.Target{Addr: t.addr, Dialect: dialect.Mounted{Prefix: t.prefix}}}
	k := &keeper{bench: b, task: t, orders: lines(orders), answers: answers}
	return errors.Join(k.run(), loop.Close())
}

// lines sends each line, and closes the channel at the end. Its goroutine ends with the reader.
func lines(r io.Reader) <-chan string {
	to := make(chan string)
	go func() {
		defer close(to)
		for s := bufio.NewScanner(r); s.Scan(); {
			to <- s.Text()
		}
	}()
	return to
}

// keeper is a holder at work.
type keeper struct {
	bench   *bench
	task    task
	orders  <-chan string
	answers io.Writer
	conns   []*load.Conn
	unasked int // messages that came between orders
}

func (k *keeper) run() error {
	for {
		order, open, err := k.next()
		if err != nil || !open {
			return err
		}
		answer := answerOK
		if err := k.obey(order); err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		if _, err := fmt.Fprintln(k.answers, answer); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

// next waits for an order while it answers the pings of the server.
func (k *keeper) next() (order string, open bool, err error) {
	w := new(watch)
	k.bench.loop.Handle(w)
	came := func() bool {
		select {
		case order, open = <-k.orders:
			return true
		default:
			return w.cause != nil
		}
	}
	if _, err := k.bench.loop.RunUntil(came, k.task.limit); err != nil {
		return "", false, err
	}
	k.unasked += w.messages
	if w.cause != nil {
		return "", false, fmt.Errorf("the server closed a connection: %w", w.cause)
	}
	return order, open, nil
}

func (k *keeper) obey(order string) (err error) {
	verb, argument, _ := strings.Cut(order, " ")
	switch verb {
	case askOpen:
		k.conns, err = k.bench.dialUsers(k.task.first, k.task.count)
		return err
	case askCheck:
		n, err := strconv.Atoi(argument)
		if err != nil {
			return err
		}
		return k.check(n)
	case askCatchUp:
		var stock system.Stock
		if _, err := fmt.Sscan(argument, &stock.Each, &stock.Read); err != nil {
			return err
		}
		users := make([]int, k.task.count)
		for i := range users {
			users[i] = k.task.first + i
		}
		return newCatchUp(k.bench.loop, stock, users...).run(k.bench.to)
	case askQuiet:
		if k.unasked > 0 {
			return fmt.Errorf("%d more messages came", k.unasked)
		}
		return nil
	}
	return fmt.Errorf("unknown order %q", order)
}

// check has n connections, spread evenly over all, send a message to themselves.
func (k *keeper) check(n int) error {
	var sample []*load.Conn
	for i := range n {
		sample = append(sample, k.conns[i*len(k.conns)/n])
	}
	return k.bench.greet(sample, k.task.first)
}
