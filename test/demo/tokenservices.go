// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// The hosts that the samples name, for which the demo has something on a loopback port.
const (
	entraHost  = "login.microsoftonline.com"
	openIDHost = "sts.example.com"
)

// announcement is the line by which both token services say that they are ready.
type announcement struct {
	URL    string `json:"url"`
	CAFile string `json:"caFile"`
}

// startTokenServices starts the simulator, and an authorization server that was made for other
// purposes than to please this operator.
func (d *demo) startTokenServices(ctx context.Context) error {
	d.out.status("Starting two token services ...")
	var entra, openID announcement
	err := d.start(ctx, "The simulated token service", filepath.Join(d.programs, "stssim"), &entra,
		"--ca-out", d.place.path("stssim-ca.pem"))
	if err != nil {
		return err
	}
	if d.simulator, err = newSimulator(entra); err != nil {
		return err
	}
	d.out.labelled("simulated STS", "stands in for %s, at %s", entraHost, entra.URL)

	clients, err := d.samples.clientsOf(openIDHost)
	if err != nil {
		return err
	}
	content, err := yaml.Marshal(map[string]any{"clients": clients})
	if err != nil {
		return fmt.Errorf("writing the authorization server's clients: %w", err)
	}
	file, err := d.place.write("authserver-clients.yaml", content)
	if err != nil {
		return err
	}
	err = d.start(ctx, "The authorization server", filepath.Join(d.programs, "authserver"), &openID,
		"--clients", file, "--ca-out", d.place.path("authserver-ca.pem"))
	if err != nil {
		return err
	}
	d.authServer, err = openID.standIn()
	d.out.labelled("real STS", "an authorization server on ory/fosite, stands in for %s, at %s", openIDHost, openID.URL)
	return err
}

// standIn is what the samples' host is replaced by.
func (a announcement) standIn() (standIn, error) {
	ca, err := os.ReadFile(a.CAFile)
	if err != nil {
		return standIn{}, fmt.Errorf("reading a token service's CA: %w", err)
	}
	return standIn{url: a.URL, ca: string(ca)}, nil
}
