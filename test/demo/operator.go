// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// operatorName is that of the operator's service account and lease.
	operatorName = "tokenrequest-operator"
	operatorLog  = "manager.log"
)

// startOperator runs the operator as its service account, so with no more rights than an
// installation gives it, and waits until it leads.
func (d *demo) startOperator(ctx context.Context) error {
	d.out.status("Starting the operator ...")
	kubeconfig, err := d.cluster.actAs(systemNamespace, operatorName, d.place)
	if err != nil {
		return err
	}
	err = d.start(ctx, "The operator", filepath.Join(d.programs, "manager"), nil,
		"--kubeconfig", kubeconfig, "--operator-namespace", systemNamespace, "--allow-loopback-authorities",
		"--metrics-bind-address=0", "--health-probe-bind-address=0")
	if err != nil {
		return err
	}
	lease := types.NamespacedName{Namespace: systemNamespace, Name: operatorName}
	for {
		var held coordinationv1.Lease
		err := d.cluster.Get(ctx, lease, &held)
		if err == nil && ptr.Deref(held.Spec.HolderIdentity, "") != "" {
			break
		}
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("asking for the operator's lease: %w", err)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	d.out.labelled("operator", "bin/manager, with the roles of config/rbac, within the policies of config/policy")
	return nil
}

// glance is the time between two looks at what is waited for.
const glance = 150 * time.Millisecond

// pause waits for a glance, or for the end of the run.
func pause(ctx context.Context) error {
	timer := time.NewTimer(glance)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
