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
	"slices"
	"text/template"

	"tokenrequest.dev/operator/test/onenode/image"
)

const (
	runtimeConfigFile = "containerd.toml"
	kubeletConfigFile = "kubelet.yaml"
	resolverFile      = "resolv.conf"
	registriesDir     = "registries"
	pauseImage        = "onenode/pause:latest"
)

// pluginDirs are where distributions put the CNI plugins.
var pluginDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// runtimeConfig is containerd's. Its native snapshots copy an image's layer, which costs little with
// images of one binary, and work where overlay file systems don't, as within a container. Without
// restrict_oom_score_adj a machine that took CAP_SYS_RESOURCE away can't run a pod.
const runtimeConfig = `version = 2
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/{{.Pause}}"
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{{.Plugins}}"
  conf_dir = "{{.Network}}"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{{.Registries}}"
`

// registryHost is where a test may have a registry on this machine, and registryConfig tells containerd
// that it has no TLS.
const (
	registryHost   = serviceAddress + ":5000"
	registryConfig = `[host."http://` + registryHost + `"]` + "\n"
)

// kubeletConfig shortens how long a changed Secret takes into a volume, sixty to ninety seconds by
// default, so that tests see many changes. It asks for nothing that outlives the cluster, such as
// chains of iptables, and evicts nothing because the machine's disk is full.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
syncFrequency: 10s
address: {{.Address}}
healthzPort: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: "{{.CA}}"}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://{{.Socket}}
cgroupDriver: cgroupfs
cgroupRoot: /{{.Cgroup}}
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
enforceNodeAllocatable: []
evictionHard: {imagefs.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100
makeIPTablesUtilChains: false
resolvConf: "{{.Resolver}}"
volumePluginDir: {{.VolumePlugins}}
`

// writeNodeConfig writes the configuration of containerd, the CNI plugins and kubelet.
func (c *cluster) writeNodeConfig() error {
	plugins, err := pluginDir()
	if err != nil {
		return err
	}
	values := map[string]string{
		"Address": nodeAddress, "CA": c.certificate("ca"), "Cgroup": podCgroup, "Network": c.path("cni"), "Pause": pauseImage,
		"Plugins": plugins, "Registries": c.path(registriesDir), "Resolver": c.path(resolverFile), "Socket": runtimeSocket, "VolumePlugins": volumePlugins,
	}
	for file, text := range map[string]string{
		runtimeConfigFile: runtimeConfig,
		kubeletConfigFile: kubeletConfig,
		"cni/10.conflist": pluginNetwork,
		resolverFile:      "", // there is no DNS

		filepath.Join(registriesDir, registryHost, "hosts.toml"): registryConfig,
	} {
		parsed, err := template.New(file).Option("missingkey=error").Parse(text)
		if err != nil {
			return fmt.Errorf("reading the template of %s: %w", file, err)
		}
		var out bytes.Buffer
		if err := parsed.Execute(&out, values); err != nil {
			return fmt.Errorf("filling the template of %s: %w", file, err)
		}
		if err := os.WriteFile(c.path(file), out.Bytes(), 0o644); err != nil {
			return fmt.Errorf("configuring the node: %w", err)
		}
	}
	return nil
}

// writeImages writes the archives of the images and of the one that holds a pod's namespaces.
func (c *cluster) writeImages(texts []string) error {
	images := []image.Image{{Name: pauseImage, User: "65535", Binaries: []string{filepath.Join(c.programs, "pause")}}}
	for _, text := range texts {
		parsed, err := image.Parse(text)
		if err != nil {
			return err
		}
		images = append(images, parsed)
	}
	for i, one := range images {
		archive, err := one.Archive()
		if err != nil {
			return fmt.Errorf("making image %s: %w", one.Name, err)
		}
		if err := os.WriteFile(c.path(imagesDir, fmt.Sprintf("%d.tar", i)), archive, 0o644); err != nil {
			return fmt.Errorf("writing image %s: %w", one.Name, err)
		}
	}
	return nil
}

// pluginDir is where this distribution's CNI plugins are.
func pluginDir() (string, error) {
	i := slices.IndexFunc(pluginDirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "bridge"))
		return err == nil
	})
	if i < 0 {
		return "", fmt.Errorf("the CNI plugins are in none of %v", pluginDirs)
	}
	return pluginDirs[i], nil
}

// nodePackage is a package of the distribution.
type nodePackage struct {
	name string
	is   func() error // nil if it is installed
}

// nodePackages are what a node needs of the distribution.
func nodePackages() []nodePackage {
	return []nodePackage{
		{"containerd", inPath("containerd", "ctr")},
		{"runc", inPath("runc")},
		{"iproute2", inPath("ip")},
		{"mount", inPath("mount")},
		{"containernetworking-plugins", func() error { _, err := pluginDir(); return err }},
	}
}

// installNode installs the distribution's container runtime, where it is missing.
func installNode(ctx context.Context) error {
	var packages []string
	for _, part := range nodePackages() {
		if part.is() != nil {
			packages = append(packages, part.name)
		}
	}
	if len(packages) == 0 {
		return nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return fmt.Errorf("%v aren't installed, and there is no apt-get to do it; install them with this system's package manager", packages)
	}
	for _, args := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-qy", "--no-install-recommends"}, packages...),
	} {
		command := exec.CommandContext(ctx, apt, args...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		command.Stdout, command.Stderr = os.Stderr, os.Stderr
		if err := command.Run(); err != nil {
			return fmt.Errorf("installing %v: %w", packages, err)
		}
	}
	return nil
}

// inPath says whether all those programs are there.
func inPath(programs ...string) func() error {
	return func() (err error) {
		for _, name := range programs {
			_, missing := exec.LookPath(name)
			err = errors.Join(err, missing)
		}
		return err
	}
}
