// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// tokenKey is where the operator puts a token.
const tokenKey = "access_token"

// secretKeys are the keys of this namespace's Secrets whose values may be nowhere else.
var secretKeys = []string{tokenKey, "client_secret"}

// checkLeaks looks for tokens and client secrets where people may read who may read no Secret.
func (d *demo) checkLeaks(ctx context.Context) error {
	secrets, err := d.secrets(ctx)
	if err != nil {
		return err
	}
	places, err := d.readable(ctx)
	if err != nil {
		return err
	}
	for _, place := range places {
		for _, secret := range secrets {
			if strings.Contains(place.text, secret) {
				return fmt.Errorf("a token or client secret (%d bytes) is to be read in %s", len(secret), place.name)
			}
		}
	}
	names := make([]string, len(places))
	for i, place := range places {
		names[i] = place.name
	}
	d.out.section("Tokens and client secrets outside of Secrets")
	d.out.labelled("none found", "in %s; %d were looked for", strings.Join(names, ", "), len(secrets))
	return nil
}

// secrets are the values to look for: what the simulator has seen and issued, and what the
// namespace's Secrets hold.
func (d *demo) secrets(ctx context.Context) ([]string, error) {
	values, err := d.simulator.canaries(ctx)
	if err != nil {
		return nil, err
	}
	var list corev1.SecretList
	if err := d.cluster.List(ctx, &list, client.InNamespace(demoNamespace)); err != nil {
		return nil, fmt.Errorf("listing the Secrets: %w", err)
	}
	for _, secret := range list.Items {
		for _, key := range secretKeys {
			if value := string(secret.Data[key]); value != "" {
				values = append(values, value)
			}
		}
	}
	slices.Sort(values)
	return slices.Compact(values), nil
}

// readable is a place that more people may read than Secrets, with its text.
type readable struct{ name, text string }

func (d *demo) readable(ctx context.Context) ([]readable, error) {
	var places []readable
	for _, kind := range []struct {
		name string
		list client.ObjectList
	}{
		{"the TokenRequests", &stsv1alpha1.TokenRequestList{}},
		{"the events", &corev1.EventList{}},
		{"the ConfigMaps", &corev1.ConfigMapList{}},
	} {
		if err := d.cluster.List(ctx, kind.list); err != nil {
			return nil, fmt.Errorf("listing %s: %w", kind.name, err)
		}
		text, err := json.Marshal(kind.list)
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", kind.name, err)
		}
		places = append(places, readable{kind.name, string(text)})
	}
	log, err := os.ReadFile(d.place.path(logsDir, operatorLog))
	if err != nil {
		return nil, fmt.Errorf("reading the operator's log: %w", err)
	}
	return append(places, readable{"the operator's log", string(log)}), nil
}
