// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
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
	d.out.status("Starting a control plane ...")
	environment, err := d.environment()
	if err != nil {
		return err
	}
	begun := time.Now()
	d.undo = append(d.undo, func() { _ = environment.Stop() })
	config, err := environment.Start()
	if err != nil {
		return &startError{"The control plane", apiServerLog, err}
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
	d.out.fact("control plane", "kube-apiserver %s and etcd at %s, up after %.1f s", version, config.Host, time.Since(begun).Seconds())
	for _, name := range []string{systemNamespace, demoNamespace} {
		if err := d.cluster.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return fmt.Errorf("creating namespace %s: %w", name, err)
		}
	}
	_, err = d.cluster.run(ctx, "apply", "--server-side", "--kustomize", filepath.Join(d.repository, "config", "rbac"))
	return err
}

const (
	apiServerLog = "kube-apiserver.log"
	etcdLog      = "etcd.log"
)

// environment describes the control plane to envtest. All that it writes stays in the place.
func (d *demo) environment() (*envtest.Environment, error) {
	environment := &envtest.Environment{
		CRDDirectoryPaths:        []string{filepath.Join(d.repository, "config", "crd", "bases")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: slowStart,
		// Whatever the environment variables say: the demo never touches a cluster that is there.
		UseExistingCluster: ptr.To(false),
	}
	server := environment.ControlPlane.GetAPIServer()
	environment.ControlPlane.Etcd = &envtest.Etcd{}
	etcd := environment.ControlPlane.Etcd
	for _, part := range []struct {
		name string
		dir  *string
		path *string
	}{{"kube-apiserver", &server.CertDir, &server.Path}, {"etcd", &etcd.DataDir, &etcd.Path}} {
		*part.dir = d.place.path(part.name)
		if err := os.Mkdir(*part.dir, 0o700); err != nil {
			return nil, fmt.Errorf("making a directory for %s: %w", part.name, err)
		}
		var err error
		if *part.path, err = d.noted(part.name); err != nil {
			return nil, err
		}
	}
	serverLog, err := d.place.log(apiServerLog)
	if err != nil {
		return nil, err
	}
	log, err := d.place.log(etcdLog)
	if err != nil {
		return nil, err
	}
	server.Out, server.Err, etcd.Out, etcd.Err = serverLog, serverLog, log, log
	return environment, nil
}

// noted wraps a program of the control plane into a script that tells the janitor its process:
// envtest tells nobody.
func (d *demo) noted(name string) (string, error) {
	script := fmt.Sprintf("#!/bin/sh\necho $$ >%s\nexec %s \"$@\"\n",
		quoted(d.place.path(pidsDir, name)), quoted(filepath.Join(d.assets, name)))
	path := d.place.path(name + ".sh")
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
	for _, context := range kubeconfig.Contexts {
		context.Namespace = demoNamespace
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
