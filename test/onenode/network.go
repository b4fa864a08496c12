// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The cluster's network is a bridge that has the node's address and, for want of a kube-proxy, the
// address of the Service by which pods find the API server. Nothing is routed or translated.
const (
	bridge         = "onenode0"
	podRange       = "10.213.0.0/24"
	nodeAddress    = "10.213.0.1"
	serviceRange   = "10.213.1.0/24"
	serviceAddress = "10.213.1.1" // the first one is the API server's

	// etcdURL is where no pod and no other etcd is: each address of 127.0.0.0/8 is this machine's.
	etcdURL = "http://127.213.0.1:2379"
)

// pluginNetwork is how the CNI plugins connect a pod to the bridge. The plugin itself isn't the gateway: it
// would switch the machine's IP forwarding on, and leave it so.
const pluginNetwork = `{
  "cniVersion": "0.4.0",
  "name": "onenode",
  "plugins": [{
    "type": "bridge",
    "bridge": "` + bridge + `",
    "ipam": {
      "type": "host-local",
      "ranges": [[{"subnet": "` + podRange + `", "gateway": "` + nodeAddress + `"}]],
      "routes": [{"dst": "0.0.0.0/0"}]
    }
  }]
}
`

// bridgeOwner is the state directory of the cluster whose bridge there is, or empty.
func bridgeOwner() (string, error) {
	alias, err := os.ReadFile(filepath.Join("/sys/class/net", bridge, "ifalias"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking whose network interface %s is: %w", bridge, err)
	}
	return strings.TrimSpace(string(alias)), nil
}

func (c *cluster) makeBridge() error {
	for _, args := range [][]string{
		{"link", "add", bridge, "type", "bridge"},
		{"link", "set", bridge, "alias", c.state},
		{"address", "add", nodeAddress + "/24", "dev", bridge},
		{"address", "add", serviceAddress + "/32", "dev", bridge},
		{"link", "set", bridge, "up"},
	} {
		if err := ip(args...); err != nil {
			return err
		}
	}
	return nil
}

func removeBridge() error { return ip("link", "delete", bridge) }

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
