// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// showThrottle shows the ConfigMap as it was when the request behind the gate was first seen.
func (d *demo) showThrottle(_ context.Context) error {
	d.out.section("What the operator remembers while it waits, also over a restart")
	d.out.command(d.gate, "get", "configmap", throttleConfigMap, "--namespace", systemNamespace, "--output", "yaml")
	d.out.section("And what becomes of the one that waits")
	return nil
}

// showRequests shows the table as everybody sees it.
func (d *demo) showRequests(ctx context.Context) error {
	d.out.section("The requests")
	return d.showCommand(ctx, "get", "tokenrequests")
}

// showSecret shows a Secret without its values, as kubectl describes it, once all that are to hold a
// token do.
func (d *demo) showSecret(ctx context.Context) error {
	for _, e := range expectations {
		if e.ready != metav1.ConditionTrue {
			continue
		}
		var secret corev1.Secret
		name := d.seen[e.request].secret
		if err := d.cluster.Get(ctx, types.NamespacedName{Namespace: demoNamespace, Name: name}, &secret); err != nil {
			return fmt.Errorf("reading the Secret of %s: %w", e.request, err)
		}
		if len(secret.Data[tokenKey]) == 0 {
			return fmt.Errorf("%s is ready, but Secret %s has no %s", e.request, name, tokenKey)
		}
	}
	d.out.section("The Secret of the first one, without its values")
	return d.showCommand(ctx, "describe", "secret", d.seen[expectations[0].request].secret)
}

func (d *demo) showCommand(ctx context.Context, args ...string) error {
	text, err := d.cluster.run(ctx, args...)
	if err != nil {
		return err
	}
	d.out.command(text, args...)
	return nil
}

// showRefusal shows what those that fail say about it.
func (d *demo) showRefusal(ctx context.Context) error {
	for _, e := range expectations {
		if e.ready == metav1.ConditionTrue {
			continue
		}
		var request stsv1alpha1.TokenRequest
		if err := d.cluster.Get(ctx, types.NamespacedName{Namespace: demoNamespace, Name: e.request}, &request); err != nil {
			return fmt.Errorf("reading %s: %w", e.request, err)
		}
		d.out.section("Why " + e.request + " isn't ready, and what to do")
		for _, c := range readyFirst(request.Status.Conditions) {
			d.out.labelled(c.Type, "%s, %s: %s", c.Status, c.Reason, firstSentence(c.Message))
		}
		if last := request.Status.LastError; last != nil {
			d.out.labelled("the STS says", "%s", last.Description)
			d.out.labelled("what to do", "%s", last.Remedy)
		}
	}
	return nil
}

// readyFirst has the condition first that people look for.
func readyFirst(conditions []metav1.Condition) []metav1.Condition {
	return slices.SortedStableFunc(slices.Values(conditions), func(a, b metav1.Condition) int {
		isReady := map[string]int{stsv1alpha1.ConditionReady: -1}
		return isReady[a.Type] - isReady[b.Type]
	})
}

// showCalls counts what the simulator was asked, and fails where it was asked too much or too early.
func (d *demo) showCalls(ctx context.Context) error {
	d.out.section("What the simulator was asked")
	for _, e := range expectations {
		request, err := d.samples.request(e.request)
		if err != nil {
			return err
		}
		calls, err := d.simulator.calls(ctx, scopesOf(request))
		if err != nil {
			return err
		}
		if len(calls) == 0 && e.answers == nil {
			continue // it asks the other one
		}
		d.out.labelled(e.request, "%s", account(calls))
		if e.answers != nil && !answered(calls, e.answers) {
			return fmt.Errorf("%s should have been answered %v, one call each", e.request, e.answers)
		}
	}
	early, err := d.simulator.violations(ctx)
	if err != nil {
		return err
	}
	d.out.labelled("too early", "%s", plural(len(early), "call"))
	if len(early) > 0 {
		first := early[0]
		return fmt.Errorf("a call for %s left %s before Retry-After was over", first.Scope, first.Until.Sub(first.At))
	}
	return nil
}
