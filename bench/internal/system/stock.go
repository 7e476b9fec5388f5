package system

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
)

// Stock is messages to store in a data directory of Parley's.
type Stock struct {
	Users int // u0, u1 and so on
	Each  int // message n of user u has the number u*Each + n
	Read  int // so many of each user's are acknowledged
	Size  int // of a message, in bytes
}

// Fill has a program of its own store messages in a directory, and kills it while it stores more.
func (s Stock) Fill(ctx context.Context, env *Env, dir string) error {
	if err := build(ctx, env, env.Bench, "./fill", "fill"); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, env.Temp+"/fill", "-data", dir,
		"-users", strconv.Itoa(s.Users), "-each", strconv.Itoa(s.Each), "-read", strconv.Itoa(s.Read), "-size", strconv.Itoa(s.Size))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("fill %s: %w", dir, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("fill %s: %w", dir, err)
	}
	if _, err = bufio.NewReader(said).ReadString('\n'); err == nil {
		err = cmd.Process.Kill()
	}
	ended := cmd.Wait()
	if _, killed := errors.AsType[*exec.ExitError](ended); killed && err == nil {
		return nil
	}
	return fmt.Errorf("fill %s: %w", dir, errors.Join(err, ended))
}
