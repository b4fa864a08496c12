// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// throttleConfigMap is where the operator keeps the gates.
const throttleConfigMap = "tokenrequest-throttle"

// followUntilThrottled follows the requests until one waits behind a gate and the others have come
// to their ends.
func (d *demo) followUntilThrottled(ctx context.Context) error {
	d.out.section("What becomes of them")
	d.out.row("after", "request", "ready", "reason", "what the operator says")
	return d.follow(ctx, func() bool {
		for _, e := range expectations {
			if s := d.seen[e.request]; !e.met(s) && !(e.throttled && s.wasThrottled) {
				return false
			}
		}
		return true
	})
}

// followUntilSettled follows the requests until all have come to their ends.
func (d *demo) followUntilSettled(ctx context.Context) error {
	return d.follow(ctx, func() bool { return unmet(d.seen) == nil })
}

// follow shows each change of a request until it is enough.
func (d *demo) follow(ctx context.Context, enough func() bool) error {
	for {
		if err := d.glance(ctx); err != nil {
			return err
		}
		for _, e := range expectations {
			if e.missed(d.seen[e.request]) != "" {
				return unmet(d.seen)
			}
		}
		if enough() {
			return nil
		}
		d.out.status(d.awaited())
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// slowAnswer is when an API server on a loopback port is taken for dead.
const slowAnswer = 10 * time.Second

// glance looks at all requests and shows what is new.
func (d *demo) glance(ctx context.Context) error {
	// An API server without etcd doesn't answer, and doesn't say so for long.
	if err := d.controlPlaneDeath(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, slowAnswer)
	defer cancel()
	var list stsv1alpha1.TokenRequestList
	if err := d.cluster.List(bounded, &list, client.InNamespace(demoNamespace)); err != nil {
		return fmt.Errorf("listing the requests: %w", err)
	}
	for _, request := range list.Items {
		before := d.seen[request.Name]
		now := look(&request, before)
		d.seen[request.Name] = now
		if news := now.news(before); news != "" {
			d.out.row(fmt.Sprintf("%.1f s", time.Since(d.applied).Seconds()), request.Name, string(now.ready), now.reason, firstSentence(news))
		}
		if now.throttled && d.gate == "" {
			if err := d.readGate(ctx, &request); err != nil {
				return err
			}
		}
	}
	return nil
}

// readGate takes the ConfigMap the moment that a status shows a throttled request: from then on it
// has to be there, whatever happens to the operator.
func (d *demo) readGate(ctx context.Context, throttled *stsv1alpha1.TokenRequest) error {
	var err error
	d.gate, err = d.cluster.run(ctx, "get", "configmap", throttleConfigMap, "--namespace", systemNamespace, "--output", "yaml")
	if err == nil && !strings.Contains(d.gate, scopesOf(throttled)) {
		err = errors.New("it has no gate for " + scopesOf(throttled))
	}
	if err != nil {
		return fmt.Errorf("the status of %s shows that it is throttled, but a restart would forget it: %w", throttled.Name, err)
	}
	return nil
}

// awaited says what the demo waits for.
func (d *demo) awaited() string {
	var names []string
	for _, e := range expectations {
		s := d.seen[e.request]
		if e.met(s) {
			continue
		}
		name := e.request
		if s.throttled {
			name = fmt.Sprintf("%s, which may ask again in %.0f s", name, max(0, time.Until(s.next).Seconds()))
		}
		names = append(names, name)
	}
	return "Waiting for " + strings.Join(names, " and ") + " ..."
}

// firstSentence leaves the advice to where there is room for it.
func firstSentence(message string) string {
	if end := strings.Index(message, ". "); end >= 0 {
		return message[:end+1]
	}
	return message
}
