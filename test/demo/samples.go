// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// samples are the objects of config/samples.
type samples []*unstructured.Unstructured

// readSamples builds config/samples. That needs no API server.
func (d *demo) readSamples(ctx context.Context) error {
	kubectl := &cluster{kubectl: filepath.Join(d.assets, "kubectl"), cache: d.place.path("kubectl-cache")}
	manifests, err := kubectl.run(ctx, "kustomize", filepath.Join(d.repository, "config", "samples"))
	if err != nil {
		return err
	}
	d.samples, err = parseSamples([]byte(manifests))
	return err
}

// applySamples applies them with kubectl, after the simulator was told to throttle one of them.
func (d *demo) applySamples(ctx context.Context) error {
	standIns := map[string]standIn{entraHost: d.simulator.standIn, openIDHost: d.authServer}
	if err := d.samples.adapt(standIns); err != nil {
		return err
	}
	manifests, err := d.samples.manifests()
	if err != nil {
		return err
	}
	file, err := d.place.write("samples.yaml", manifests)
	if err != nil {
		return err
	}
	d.out.section("Four requests of config/samples")
	for _, e := range expectations {
		d.out.labelled(e.request, "%s", e.story)
		if e.throttled {
			if err := d.throttle(ctx, e.request); err != nil {
				return err
			}
		}
	}
	d.applied = time.Now()
	_, err = d.cluster.run(ctx, "apply", "--server-side", "--validate=strict", "--warnings-as-errors", "--filename", file)
	return err
}

func parseSamples(manifests []byte) (samples, error) {
	var objects samples
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("reading the samples: %w", err)
		}
		objects = append(objects, object)
	}
}

// manifests is what kubectl is given.
func (s samples) manifests() ([]byte, error) {
	var text bytes.Buffer
	for _, object := range s {
		document, err := sigsyaml.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("writing %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		text.WriteString("---\n")
		text.Write(document)
	}
	return text.Bytes(), nil
}

// request is a TokenRequest of the samples.
func (s samples) request(name string) (*stsv1alpha1.TokenRequest, error) {
	object := s.find("TokenRequest", name)
	if object == nil {
		return nil, fmt.Errorf("config/samples has no TokenRequest %s", name)
	}
	request := &stsv1alpha1.TokenRequest{}
	return request, convert(object, request)
}

// authClient is a client as bin/authserver registers it.
type authClient struct {
	ID     string              `json:"id"`
	Secret string              `json:"secret"`
	Scopes []stsv1alpha1.Scope `json:"scopes"`
}

// clientsOf are the clients that a host has to know for the samples that ask it.
func (s samples) clientsOf(host string) ([]authClient, error) {
	var clients []authClient
	for _, object := range s {
		if object.GetKind() != "TokenRequest" || hostOf(object) != host {
			continue
		}
		var request stsv1alpha1.TokenRequest
		if err := convert(object, &request); err != nil {
			return nil, err
		}
		ref := request.Spec.Issuer.Credential.ClientSecret.SecretRef
		var secret corev1.Secret
		if found := s.find("Secret", string(ref.Name)); found != nil {
			if err := convert(found, &secret); err != nil {
				return nil, err
			}
		}
		clients = append(clients, authClient{
			ID: request.Spec.Issuer.ClientID, Secret: secret.StringData[string(ref.Key)], Scopes: request.Spec.Scopes,
		})
	}
	return clients, nil
}

func (s samples) find(kind, name string) *unstructured.Unstructured {
	for _, object := range s {
		if object.GetKind() == kind && object.GetName() == name {
			return object
		}
	}
	return nil
}

func convert(object *unstructured.Unstructured, into any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true); err != nil {
		return fmt.Errorf("reading %s %s of the samples: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

// hostOf is the host of a TokenRequest's authority.
func hostOf(request *unstructured.Unstructured) string {
	authority, _, _ := unstructured.NestedString(request.Object, "spec", "issuer", "authority")
	parsed, err := url.Parse(authority)
	if err != nil {
		return ""
	}
	return strings.ToLower(parsed.Host)
}
