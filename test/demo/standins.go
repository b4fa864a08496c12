// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// standIn is a token service on a loopback port that takes the place of a host in the samples.
type standIn struct {
	url string
	ca  string // PEM
}

// caConfigMap and caKey hold a stand-in's CA where the sample, being for a public host, names none.
const (
	caConfigMap = "demo-ca"
	caKey       = "ca.crt"
)

// adapt replaces the hosts that the samples name by their stand-ins: in authorities, in the
// annotation that says where a credential may be sent, and as trust root. All else stays as it is.
func (s *samples) adapt(standIns map[string]standIn) error {
	for _, object := range slices.Clone(*s) {
		switch object.GetKind() {
		case "TokenRequest":
			if err := s.redirect(object, standIns); err != nil {
				return err
			}
		case "Secret":
			permit(object, standIns)
		}
	}
	return nil
}

// redirect has a request ask the stand-in, and trust it.
func (s *samples) redirect(request *unstructured.Unstructured, standIns map[string]standIn) error {
	host := hostOf(request)
	there, known := standIns[host]
	if !known {
		return fmt.Errorf("the sample %s asks %q, for which the demo has no stand-in", request.GetName(), host)
	}
	issuer, _, err := unstructured.NestedMap(request.Object, "spec", "issuer")
	if err != nil {
		return fmt.Errorf("reading the issuer of the sample %s: %w", request.GetName(), err)
	}
	authority, err := url.Parse(issuer["authority"].(string))
	if err != nil {
		return fmt.Errorf("reading the authority of the sample %s: %w", request.GetName(), err)
	}
	issuer["authority"] = there.url + authority.Path
	name, named, err := unstructured.NestedString(issuer, "tls", "caBundleRef", "name")
	if err != nil {
		return fmt.Errorf("reading the trust root of the sample %s: %w", request.GetName(), err)
	}
	if !named {
		name = caConfigMap
		issuer["tls"] = map[string]any{"caBundleRef": map[string]any{"kind": "ConfigMap", "name": name, "key": caKey}}
	}
	s.provideCA(name, there.ca)
	return unstructured.SetNestedMap(request.Object, issuer, "spec", "issuer")
}

// provideCA puts a stand-in's CA into the ConfigMap of that name, which needn't be there.
func (s *samples) provideCA(name, ca string) {
	object := s.find("ConfigMap", name)
	if object == nil {
		object = &unstructured.Unstructured{}
		object.SetAPIVersion("v1")
		object.SetKind("ConfigMap")
		object.SetName(name)
		*s = append(samples{object}, *s...) // before the requests, as kubectl keeps the order
	}
	object.Object["data"] = map[string]any{caKey: ca}
}

// permit lets a credential be sent to the stand-ins of the hosts that its Secret allows.
func permit(secret *unstructured.Unstructured, standIns map[string]standIn) {
	annotations := secret.GetAnnotations()
	allowed, limited := annotations[stsv1alpha1.AnnotationAllowedHosts]
	if !limited {
		return
	}
	var hosts []string
	for host := range strings.SplitSeq(allowed, ",") {
		host = strings.TrimSpace(host)
		if there, known := standIns[host]; known {
			if parsed, err := url.Parse(there.url); err == nil {
				host = parsed.Hostname()
			}
		}
		hosts = append(hosts, host)
	}
	annotations[stsv1alpha1.AnnotationAllowedHosts] = strings.Join(hosts, ",")
	secret.SetAnnotations(annotations)
}
