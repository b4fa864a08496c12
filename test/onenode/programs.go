// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "path/filepath"

const (
	nodeName      = "onenode"
	volumePlugins = "/var/lib/kubelet/plugins"
)

// program is a process of the cluster.
type program struct {
	path string
	args []string
}

// built is a program that was built here.
func (c *cluster) built(name string, args ...string) program {
	return program{filepath.Join(c.programs, name), args}
}

func (c *cluster) etcd() program {
	return c.built("etcd",
		"--data-dir="+c.path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL,
		"--listen-peer-urls=http://127.213.0.1:0",
	)
}

func (c *cluster) apiServer() program {
	return c.built("kube-apiserver",
		"--etcd-servers="+etcdURL,
		"--bind-address="+serviceAddress, "--advertise-address="+serviceAddress, "--secure-port=443",
		"--service-cluster-ip-range="+serviceRange,
		"--cert-dir="+c.path(pkiDir),
		"--tls-cert-file="+c.certificate("apiserver"), "--tls-private-key-file="+c.key("apiserver"),
		"--client-ca-file="+c.certificate("ca"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.certificate("accounts"),
		"--service-account-signing-key-file="+c.key("accounts"),
		"--kubelet-client-certificate="+c.certificate("kubelet-client"),
		"--kubelet-client-key="+c.key("kubelet-client"),
		"--kubelet-preferred-address-types=InternalIP",
		"--allow-privileged",
	)
}

func (c *cluster) controllerManager() program {
	return c.built("kube-controller-manager",
		"--kubeconfig="+c.path("kube-controller-manager"), "--leader-elect=false", "--secure-port=0",
		"--service-account-private-key-file="+c.key("accounts"), "--root-ca-file="+c.certificate("ca"),
		"--use-service-account-credentials",
		"--flex-volume-plugin-dir="+volumePlugins, // which it would make, where others look for theirs
	)
}

func (c *cluster) scheduler() program {
	return c.built("kube-scheduler", "--kubeconfig="+c.path("kube-scheduler"), "--leader-elect=false", "--secure-port=0")
}

func (c *cluster) containerd() program {
	return program{"containerd", []string{"--config=" + c.path(runtimeConfigFile)}}
}

func (c *cluster) kubelet() program {
	return c.built("kubelet",
		"--kubeconfig="+c.path("kubelet"), "--config="+c.path(kubeletConfigFile),
		"--hostname-override="+nodeName, "--node-ip="+nodeAddress,
	)
}
