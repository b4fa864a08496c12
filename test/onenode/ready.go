// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// awaitNode waits until a pod that is created now will run: a node is ready, and the default service
// account is there, without which the API server admits no pod.
func (c *cluster) awaitNode(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", c.path(kubeconfigFile))
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // whatever the environment says
	var api client.Client
	return eventually(ctx, func() error {
		if api == nil {
			var err error
			if api, err = client.New(config, client.Options{}); err != nil {
				return fmt.Errorf("reaching the API server: %w", err)
			}
		}
		account := client.ObjectKey{Namespace: "default", Name: "default"}
		if err := api.Get(ctx, account, &corev1.ServiceAccount{}); err != nil {
			return fmt.Errorf("looking for the default service account: %w", err)
		}
		var node corev1.Node
		if err := api.Get(ctx, client.ObjectKey{Name: nodeName}, &node); err != nil {
			return fmt.Errorf("looking for the node: %w", err)
		}
		return readiness(&node)
	})
}

// readiness is nil for a node that takes pods.
func readiness(node *corev1.Node) error {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
		if condition.Type == corev1.NodeReady {
			return errors.New("the node isn't ready: " + condition.Message)
		}
	}
	return errors.New("the node has said nothing yet")
}
