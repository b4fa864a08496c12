// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// initCommand is how up runs this program again, as the init of the cluster.
const initCommand = "init"

const (
	// startTimeout is generous for a busy machine of two cores; eight seconds are usual.
	startTimeout = 3 * time.Minute
	stopTimeout  = 30 * time.Second
	glance       = 100 * time.Millisecond
)

// cluster is where everything is. Its paths are absolute, and the same in and outside its namespaces.
type cluster struct {
	state, programs string
}

func newCluster(state, programs string) (*cluster, error) {
	c := &cluster{}
	var err error
	if c.state, err = filepath.Abs(state); err != nil {
		return nil, fmt.Errorf("finding the state directory: %w", err)
	}
	if c.programs, err = filepath.Abs(programs); err != nil {
		return nil, fmt.Errorf("finding the programs: %w", err)
	}
	return c, nil
}

// path is a file of the state directory.
func (c *cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.state}, elements...)...)
}

// up starts the cluster anew and waits until it can run pods. What doesn't come up stays as it is, with
// its logs, until it is taken down.
func (c *cluster) up(ctx context.Context, images []string) error {
	if os.Geteuid() != 0 {
		return errors.New("a node needs root: namespaces, mounts, cgroups and a bridge; run this as root, or use a cluster that there is")
	}
	owner, err := bridgeOwner()
	if err != nil {
		return err
	}
	if owner != "" && owner != c.state {
		return fmt.Errorf("the cluster of %s is up, or wasn't taken down", owner)
	}
	if err := c.down(); err != nil {
		return err
	}
	begun := time.Now()
	if err := installNode(ctx); err != nil {
		return err
	}
	if err := c.prepare(images); err != nil {
		return err
	}
	if err := c.start(ctx); err != nil {
		return fmt.Errorf("%w; its logs are in %s until it is taken down", err, c.path(logsDir))
	}
	fmt.Printf("A cluster of one node is ready after %.0f s. KUBECONFIG=%s\n", time.Since(begun).Seconds(), c.path(kubeconfigFile))
	return nil
}

// prepare writes all that the programs read, and makes what they need of this machine.
func (c *cluster) prepare(images []string) error {
	for _, dir := range []string{pkiDir, logsDir, imagesDir, "etcd", "run", "lib", "log", "cni", filepath.Join(registriesDir, registryHost)} {
		if err := os.MkdirAll(c.path(dir), 0o755); err != nil {
			return fmt.Errorf("making the state directory: %w", err)
		}
	}
	for _, step := range []func() error{
		c.writeIdentities, c.writeNodeConfig,
		func() error { return c.writeImages(images) },
		c.makeBridge, makeCgroup,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// start runs the init, and waits for the node. It returns early when the init has ended.
func (c *cluster) start(ctx context.Context) error {
	log, err := os.Create(c.path(logsDir, "init.log"))
	if err != nil {
		return fmt.Errorf("making the log: %w", err)
	}
	defer log.Close()
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	command := exec.Command(program, "-programs", c.programs, "-state", c.state, initCommand)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting the cluster's init: %w", err)
	}
	if err := os.WriteFile(c.path(pidFile), []byte(strconv.Itoa(command.Process.Pid)), 0o644); err != nil {
		return errors.Join(fmt.Errorf("noting the cluster's init: %w", err), command.Process.Kill())
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("the node isn't ready in time"))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	go func() {
		_ = command.Wait()
		end(fmt.Errorf("the cluster has ended: %s", lastLine(log.Name())))
	}()
	return c.awaitNode(ctx)
}

// lastLine is how a log ends.
func lastLine(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return lines[len(lines)-1]
}

// down ends the cluster and removes all that it left. It is content with what isn't there.
func (c *cluster) down() error {
	pid, err := c.pid()
	if err != nil {
		return err
	}
	if pid != 0 {
		// An init that dies takes its whole namespace with it.
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("ending the cluster: %w", err)
		}
		err := within(stopTimeout, func() error {
			if left, err := c.pid(); err != nil || left != 0 {
				return errors.Join(err, fmt.Errorf("process %d doesn't end", pid))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	owner, err := bridgeOwner()
	if err != nil {
		return err
	}
	if owner == c.state { // and not another checkout's
		if err := errors.Join(removeCgroup(), removeBridge()); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(c.state); err != nil {
		return fmt.Errorf("removing the state directory: %w", err)
	}
	return nil
}

// pid is the process of the cluster's init, or 0 when it isn't there. A process that has the noted
// number but isn't this program with this state directory is somebody else's.
func (c *cluster) pid() (int, error) {
	noted, err := os.ReadFile(c.path(pidFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the number of the cluster's init: %w", err)
	}
	pid, err := strconv.Atoi(string(noted))
	if err != nil {
		return 0, fmt.Errorf("reading the number of the cluster's init: %w", err)
	}
	if line, err := os.ReadFile(filepath.Join("/proc", string(noted), "cmdline")); err != nil || !bytes.HasSuffix(line, c.signature()) {
		pid = 0 // a zombie has no command line
	}
	return pid, nil
}

// signature is how the command line of the cluster's init ends.
func (c *cluster) signature() []byte {
	return []byte("\x00" + c.state + "\x00" + initCommand + "\x00")
}

// within tries until something works, or the time is over.
func within(limit time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return eventually(ctx, try)
}

// eventually tries until something works, or the context has ended; it then says what last went wrong.
func eventually(ctx context.Context, try func() error) error {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}
