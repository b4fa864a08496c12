// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command onenode is a Kubernetes cluster of one node on this machine, for tests that need pods: etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and containerd, all of them children
// of one process that is the init of a PID and a mount namespace of its own.
//
// That makes taking it down simple and complete. The kernel ends every process and container with the
// init, and every mount with the namespace; what the programs believe to be /run, /var/lib and /var/log
// are folders of the state directory. Three things are left to remove: that directory, a network bridge
// and a cgroup.
//
// Images are made of static binaries that lie here. What a test wants to pull comes from a registry
// without TLS on port 5000 of the API server's address. There is no kube-proxy and no DNS. Pods reach the API server, whose Service address the bridge has, this machine
// and each other.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `onenode is a Kubernetes cluster of one node on this machine, for tests. Linux and root only.

  onenode [-state dir] [-programs dir] up [name=user:/binary[,/binary...] ...]
      starts it, with an image of the first binary for each further argument
  onenode [-state dir] down
      takes it down and removes all that it left
  onenode check
      tells whether this machine can carry it, and what it lacks

Flags:
`

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "onenode:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("onenode", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	state := flags.String("state", "bin/cluster", "`directory` for all that the cluster writes; kubeconfig is in it")
	programs := flags.String("programs", "bin/controlplane", "`directory` with the programs of Kubernetes, etcd and pause")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := newCluster(*state, *programs)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch flags.Arg(0) {
	case "up":
		return c.up(ctx, flags.Args()[1:])
	case "down":
		return c.down()
	case "check":
		if err := check(); err != nil {
			return fmt.Errorf("this machine can't carry a node:\n%w", err)
		}
		fmt.Println("This machine can carry a node.")
		return nil
	case tryCommand:
		return tryMounts()
	case initCommand:
		return c.init()
	default:
		flags.Usage()
		return fmt.Errorf("%q is neither up, down nor check", flags.Arg(0))
	}
}
