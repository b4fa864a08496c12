// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// simulator is the administration of bin/stssim.
type simulator struct {
	standIn

	client *http.Client
}

func newSimulator(announced announcement) (*simulator, error) {
	there, err := announced.standIn()
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(there.ca)) {
		return nil, errors.New("the simulator's CA is no PEM")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &simulator{standIn: there, client: &http.Client{Transport: transport}}, nil
}

// retryAfter is long enough to look at what waits, and short enough to wait for it.
const retryAfter = 12 * time.Second

// throttle closes the simulator's token endpoint for the client and scopes of a sample.
func (d *demo) throttle(ctx context.Context, sample string) error {
	request, err := d.samples.request(sample)
	if err != nil {
		return err
	}
	body, err := json.Marshal(stssim.Throttle{
		ClientID: request.Spec.Issuer.ClientID, Scope: scopesOf(request), For: stssim.Duration(retryAfter),
	})
	if err != nil {
		return fmt.Errorf("writing the throttle: %w", err)
	}
	return d.simulator.do(ctx, http.MethodPost, "throttles", body, nil)
}

// scopesOf are a request's scopes as they stand in a form.
func scopesOf(request *stsv1alpha1.TokenRequest) string {
	scopes := make([]string, len(request.Spec.Scopes))
	for i, scope := range request.Spec.Scopes {
		scopes[i] = string(scope)
	}
	return strings.Join(scopes, " ")
}

// calls lists the requests for tokens with a scope, in their order.
func (s *simulator) calls(ctx context.Context, scope string) (calls []stssim.Call, err error) {
	query := url.Values{"kind": {string(stssim.KindToken)}, "scope": {scope}, "finished": {"true"}}
	err = s.do(ctx, http.MethodGet, "calls?"+query.Encode(), nil, &calls)
	return calls, err
}

// violations lists the calls that came before a Retry-After was over.
func (s *simulator) violations(ctx context.Context) ([]stssim.Violation, error) {
	var report struct{ Violations []stssim.Violation }
	err := s.do(ctx, http.MethodGet, "throttles", nil, &report)
	return report.Violations, err
}

// canaries lists what may appear nowhere but in a Secret.
func (s *simulator) canaries(ctx context.Context) (canaries []string, err error) {
	err = s.do(ctx, http.MethodGet, "canaries", nil, &canaries)
	return canaries, err
}

func (s *simulator) do(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, s.url+"/_admin/"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking the simulator: %w", err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the simulator: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("asking the simulator for %s: %s", path, response.Status)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the simulator's answer: %w", err)
	}
	return nil
}
