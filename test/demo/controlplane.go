// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

const (
	// systemNamespace is the operator's, as config/default installs it.
	systemNamespace = "tokenrequest-system"
	// demoNamespace is where the samples go.
	demoNamespace = "demo"
	// slowStart is how long etcd and kube-apiserver may each take on a busy machine.
	slowStart = time.Minute
	// slowStop is how long they may take to end before they are killed; kube-apiserver would wait
	// for long for an etcd that has died.
	slowStop = 5 * time.Second
)

// cluster is the control plane of this run. It has no nodes: nothing here needs a pod.
type cluster struct {
	client.Client

	environment *envtest.Environment
	kubectl     string // the program
	kubeconfig  string // of an administrator whose namespace is the demo's
	cache       string // kubectl's, so that it leaves nothing in the home directory
}

// startControlPlane starts etcd and kube-apiserver, and installs what the operator needs: the CRDs,
// its namespace and its roles.
func (d *demo) startControlPlane(ctx context.Context) error {
	d.out.title("TokenRequest operator, a demonstration")
	d.out.text("It runs on loopback ports of this machine, touches no other cluster, and takes all down at the end.")
	d.out.line("")
	d.out.status("Starting a control plane ...")
	environment, err := d.environment()
	if err != nil {
		return err
	}
	begun := time.Now()
	d.undo = append(d.undo, func() { d.stopControlPlane(environment) })
	config, err := environment.Start()
	if err != nil {
		name := apiServer
		if strings.Contains(err.Error(), etcd) {
			name = etcd
		}
		return &startError{"The control plane", name + ".log", err}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.cluster = &cluster{environment: environment, kubectl: filepath.Join(d.assets, "kubectl"), cache: d.place.path("kubectl-cache")}
	if err := d.cluster.connect(config, d.place); err != nil {
		return err
	}
	version, err := d.cluster.version(ctx)
	if err != nil {
		return err
	}
	d.out.labelled("control plane", "kube-apiserver %s and etcd at %s, up after %.1f s", version, strings.TrimSuffix(config.Host, "/"), time.Since(begun).Seconds())
	for _, name := range []string{systemNamespace, demoNamespace} {
		if err := d.cluster.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return fmt.Errorf("creating namespace %s: %w", name, err)
		}
	}
	for _, folder := range []string{"rbac", "policy"} {
		if _, err := d.cluster.run(ctx, "apply", "--server-side", "--kustomize", filepath.Join(d.repository, "config", folder)); err != nil {
			return err
		}
	}
	return nil
}

// The programs of the control plane, whose logs are named after them.
const (
	apiServer = "kube-apiserver"
	etcd      = "etcd"
)

// environment describes the control plane to envtest. All that it writes stays in the place.
func (d *demo) environment() (*envtest.Environment, error) {
	environment := &envtest.Environment{
		CRDDirectoryPaths:        []string{filepath.Join(d.repository, "config", "crd", "bases")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: slowStart,
		ControlPlaneStopTimeout:  slowStop,
		// Whatever the environment variables say: the demo never touches a cluster that is there.
		UseExistingCluster: new(false),
	}
	server := environment.ControlPlane.GetAPIServer()
	store := &envtest.Etcd{}
	environment.ControlPlane.Etcd = store
	for _, part := range []struct {
		name      string
		dir, path *string
		out, err  *io.Writer
	}{
		{apiServer, &server.CertDir, &server.Path, &server.Out, &server.Err},
		{etcd, &store.DataDir, &store.Path, &store.Out, &store.Err},
	} {
		*part.dir = d.place.path(part.name)
		if err := os.Mkdir(*part.dir, 0o700); err != nil {
			return nil, fmt.Errorf("making a directory for %s: %w", part.name, err)
		}
		var err error
		if *part.path, err = d.noted(part.name); err != nil {
			return nil, err
		}
		log, err := d.place.log(part.name + ".log")
		if err != nil {
			return nil, err
		}
		*part.out, *part.err = log, log
	}
	return environment, nil
}

// stopControlPlane stops it and waits until it is gone: envtest doesn't wait for what it has to kill.
func (d *demo) stopControlPlane(environment *envtest.Environment) {
	_ = environment.Stop() // what it couldn't stop is killed
	for range int(slowStop / glance) {
		if !d.runs(etcd) && !d.runs(apiServer) {
			return
		}
		_ = pause(context.Background())
	}
}

// controlPlaneDeath says which part of the control plane is no longer there; envtest doesn't.
func (d *demo) controlPlaneDeath() error {
	for _, name := range []string{etcd, apiServer} {
		if _, err := os.Stat(d.place.path(pidsDir, name)); err == nil && !d.runs(name) {
			return &diedError{title: name, log: name + ".log"}
		}
	}
	return nil
}

// runs says whether a part of the control plane was started and hasn't ended.
func (d *demo) runs(name string) bool {
	content, err := os.ReadFile(d.place.path(pidsDir, name))
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	return err == nil && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// noted wraps a program of the control plane into a script that tells the janitor its process:
// envtest tells nobody.
func (d *demo) noted(name string) (string, error) {
	script := fmt.Sprintf("#!/bin/sh\necho $$ >%s\nexec %s \"$@\"\n",
		quoted(d.place.path(pidsDir, name)), quoted(filepath.Join(d.assets, name)))
	path := d.place.path(programsDir, name)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		return "", fmt.Errorf("writing the script that starts %s: %w", name, err)
	}
	return path, nil
}

// quoted is a word of a shell command.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// connect makes the administrator's client and kubeconfig.
func (c *cluster) connect(config *rest.Config, place *place) error {
	scheme := runtime.NewScheme()
	err := clientgoscheme.AddToScheme(scheme)
	if err == nil {
		err = stsv1alpha1.AddToScheme(scheme)
	}
	if err == nil {
		c.Client, err = client.New(config, client.Options{Scheme: scheme})
	}
	if err != nil {
		return fmt.Errorf("making a client of the control plane: %w", err)
	}
	// kubectl then needs no --namespace.
	kubeconfig, err := clientcmd.Load(c.environment.KubeConfig)
	if err != nil {
		return fmt.Errorf("reading the control plane's kubeconfig: %w", err)
	}
	for _, entry := range kubeconfig.Contexts {
		entry.Namespace = demoNamespace
	}
	content, err := clientcmd.Write(*kubeconfig)
	if err != nil {
		return fmt.Errorf("writing the control plane's kubeconfig: %w", err)
	}
	c.kubeconfig, err = place.write("kubeconfig", content)
	return err
}

// actAs makes the kubeconfig of a service account, with a certificate in place of a token.
func (c *cluster) actAs(namespace, name string, place *place) (string, error) {
	user, err := c.environment.AddUser(envtest.User{
		Name:   "system:serviceaccount:" + namespace + ":" + name,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace},
	}, nil)
	if err != nil {
		return "", fmt.Errorf("making the operator's user: %w", err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return "", fmt.Errorf("making the operator's kubeconfig: %w", err)
	}
	return place.write("operator.kubeconfig", content)
}
