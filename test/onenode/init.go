// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const runtimeSocket = "/run/containerd/containerd.sock"

// searchPath is for the programs of the distribution.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// nodeInit is the init of the cluster's namespaces: it starts all programs, and ends when one of them
// does, which ends the rest.
type nodeInit struct {
	*cluster

	children map[int]string
}

// init is what up runs in new PID and mount namespaces.
func (c *cluster) init() error {
	if os.Getpid() != 1 {
		return errors.New("this is the first process of a namespace that up makes")
	}
	if err := c.arrangeMounts(); err != nil {
		return err
	}
	n := &nodeInit{cluster: c, children: map[int]string{}}
	if err := n.startAll(); err != nil {
		return err
	}
	for {
		if err := n.reap(0); err != nil {
			return err
		}
	}
}

// tunables are settings of the kernel that kubelet insists on. It finds them in files of the cluster's
// in their places, and leaves the machine's alone.
var tunables = map[string]string{
	"kernel/keys/root_maxbytes": "25000000",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
}

// arrangeMounts gives the programs a /run, a /var/lib and a /var/log of their own: not every path that
// they write to can be configured.
func (c *cluster) arrangeMounts() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping mounts from the machine: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for dir, target := range map[string]string{"run": "/run", "lib": "/var/lib", "log": "/var/log"} {
		if err := syscall.Mount(c.path(dir), target, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", target, err)
		}
	}
	for name, value := range tunables {
		file := c.path("run", filepath.Base(name))
		if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
			return fmt.Errorf("writing the setting %s: %w", name, err)
		}
		if err := syscall.Mount(file, filepath.Join("/proc/sys", name), "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting the setting %s: %w", name, err)
		}
	}
	return nil
}

func (n *nodeInit) startAll() error {
	first := []program{n.etcd(), n.apiServer(), n.containerd()}
	for _, p := range first {
		if err := n.start(p); err != nil {
			return err
		}
	}
	if err := n.await("containerd", "unix", runtimeSocket); err != nil {
		return err
	}
	if err := n.importImages(); err != nil {
		return err
	}
	if err := n.await("kube-apiserver", "tcp", net.JoinHostPort(serviceAddress, "443")); err != nil {
		return err
	}
	for _, p := range []program{n.controllerManager(), n.scheduler(), n.kubelet()} {
		if err := n.start(p); err != nil {
			return err
		}
	}
	return nil
}

// start starts a program. No variable of the caller's environment, a proxy above all, reaches it.
func (n *nodeInit) start(p program) error {
	name := filepath.Base(p.path)
	log, err := os.Create(n.path(logsDir, name+".log"))
	if err != nil {
		return fmt.Errorf("making a log: %w", err)
	}
	defer log.Close()
	command := exec.Command(p.path, p.args...)
	command.Env = []string{searchPath}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	n.children[command.Process.Pid] = name
	return nil
}

// await waits until a program listens.
func (n *nodeInit) await(name, network, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	err := eventually(ctx, func() error {
		if err := n.reap(syscall.WNOHANG); err != nil {
			end(err)
		}
		connection, err := net.Dial(network, address)
		if err != nil {
			return err
		}
		return connection.Close()
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", name, err)
	}
	return nil
}

// importImages hands the images to containerd.
func (n *nodeInit) importImages() error {
	archives, err := filepath.Glob(n.path(imagesDir, "*.tar"))
	if err != nil {
		return fmt.Errorf("finding images: %w", err)
	}
	for _, archive := range archives {
		command := exec.Command("ctr", "--namespace=k8s.io", "images", "import", archive)
		command.Env = []string{searchPath}
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("importing %s: %w: %s", archive, err, out)
		}
	}
	return nil
}

// reap takes leave of a process that has ended; those whose parents have ended are an init's too. That
// one of its own has ended is an error.
func (n *nodeInit) reap(options int) error {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, options, nil)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return fmt.Errorf("waiting for processes: %w", err)
	}
	if name, ours := n.children[pid]; ours && (status.Exited() || status.Signaled()) {
		return fmt.Errorf("%s ended with status %d: %s", name, status.ExitStatus(), strings.TrimSpace(lastLine(n.path(logsDir, name+".log"))))
	}
	return nil
}
