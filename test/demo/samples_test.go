// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// shipped reads config/samples as it is, one file per story.
func shipped(t *testing.T) samples {
	t.Helper()
	directory := filepath.Join("..", "..", "config", "samples")
	content, err := os.ReadFile(filepath.Join(directory, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(content, &kustomization); err != nil {
		t.Fatal(err)
	}
	var all samples
	for _, file := range kustomization.Resources {
		manifests, err := os.ReadFile(filepath.Join(directory, file))
		if err != nil {
			t.Fatal(err)
		}
		objects, err := parseSamples(manifests)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, objects...)
	}
	return all
}

func TestEverySampleHasAnExpectationAndNoOther(t *testing.T) {
	var found, expected []string
	for _, object := range shipped(t) {
		if object.GetKind() == "TokenRequest" {
			found = append(found, object.GetName())
		}
	}
	for _, e := range expectations {
		expected = append(expected, e.request)
	}
	slices.Sort(found)
	slices.Sort(expected)
	if diff := cmp.Diff(expected, found); diff != "" {
		t.Errorf("requests (-expected +found):\n%s", diff)
	}
}

func TestTheSimulatorKnowsTheSamplesThatAskIt(t *testing.T) {
	all := shipped(t)
	demo := stssim.DemoClients()[0]
	for _, e := range expectations {
		request, err := all.request(e.request)
		if err != nil {
			t.Fatal(err)
		}
		if hostOf(all.find("TokenRequest", e.request)) != entraHost {
			continue
		}
		if request.Spec.Issuer.ClientID != demo.ID || !strings.Contains(string(request.Spec.Issuer.Authority), demo.Tenant) {
			t.Errorf("%s asks as client %s of %s, want client %s of tenant %s", e.request,
				request.Spec.Issuer.ClientID, request.Spec.Issuer.Authority, demo.ID, demo.Tenant)
		}
		ref := request.Spec.Issuer.Credential.ClientSecret.SecretRef
		value, _, _ := unstructured.NestedString(all.find("Secret", string(ref.Name)).Object, "stringData", string(ref.Key))
		if right := value == demo.Secrets[0].Value; right != (e.ready == "True") {
			t.Errorf("%s has the right secret: %t, but its end is Ready %s", e.request, right, e.ready)
		}
	}
}

func TestTheAuthorizationServerLearnsItsClientsFromTheSamples(t *testing.T) {
	clients, err := shipped(t).clientsOf(openIDHost)
	if err != nil {
		t.Fatal(err)
	}
	want := []authClient{{ID: "orders-service", Secret: "correct horse battery staple", Scopes: []stsv1alpha1.Scope{"orders.read"}}}
	if diff := cmp.Diff(want, clients); diff != "" {
		t.Errorf("clients (-want +got):\n%s", diff)
	}
}

func TestAdaptLeavesNoHostOfTheSamplesBehind(t *testing.T) {
	all := shipped(t)
	err := all.adapt(map[string]standIn{
		entraHost:  {url: "https://127.0.0.1:1001", ca: "entra's CA"},
		openIDHost: {url: "https://127.0.0.1:1002", ca: "the other CA"},
	})
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := all.manifests()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{entraHost, openIDHost} {
		if strings.Contains(string(manifests), host) {
			t.Errorf("%s is still named:\n%s", host, manifests)
		}
	}
	again, err := parseSamples(manifests)
	if err != nil {
		t.Fatal(err)
	}
	if len(again) != len(all) {
		t.Errorf("%d objects were written and %d read", len(all), len(again))
	}
}

const adaptable = `
apiVersion: v1
kind: Secret
metadata:
  name: app
  annotations: {sts.tokenrequest.dev/allowed-hosts: "login.example, other.example"}
---
apiVersion: sts.tokenrequest.dev/v1alpha1
kind: TokenRequest
metadata: {name: public}
spec:
  issuer: {authority: https://login.example/tenant/v2.0, clientID: app}
  scopes: [https://login.example/.default]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: own-ca}
data: {ca.crt: to be replaced}
---
apiVersion: sts.tokenrequest.dev/v1alpha1
kind: TokenRequest
metadata: {name: private}
spec:
  issuer:
    authority: https://login.example
    clientID: app
    tls: {caBundleRef: {kind: ConfigMap, name: own-ca, key: ca.crt}}
`

const adapted = `---
apiVersion: v1
data:
  ca.crt: the CA
kind: ConfigMap
metadata:
  name: demo-ca
---
apiVersion: v1
kind: Secret
metadata:
  annotations:
    sts.tokenrequest.dev/allowed-hosts: 127.0.0.1,other.example
  name: app
---
apiVersion: sts.tokenrequest.dev/v1alpha1
kind: TokenRequest
metadata:
  name: public
spec:
  issuer:
    authority: https://127.0.0.1:1001/tenant/v2.0
    clientID: app
    tls:
      caBundleRef:
        key: ca.crt
        kind: ConfigMap
        name: demo-ca
  scopes:
  - https://login.example/.default
---
apiVersion: v1
data:
  ca.crt: the CA
kind: ConfigMap
metadata:
  name: own-ca
---
apiVersion: sts.tokenrequest.dev/v1alpha1
kind: TokenRequest
metadata:
  name: private
spec:
  issuer:
    authority: https://127.0.0.1:1001
    clientID: app
    tls:
      caBundleRef:
        key: ca.crt
        kind: ConfigMap
        name: own-ca
`

func TestAdaptChangesAuthorityTrustAndConsentAlone(t *testing.T) {
	objects, err := parseSamples([]byte(adaptable))
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.adapt(map[string]standIn{"login.example": {url: "https://127.0.0.1:1001", ca: "the CA"}}); err != nil {
		t.Fatal(err)
	}
	manifests, err := objects.manifests()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(adapted, string(manifests)); diff != "" {
		t.Errorf("manifests (-want +got):\n%s", diff)
	}
}

func TestAdaptRefusesAHostThatNothingStandsInFor(t *testing.T) {
	objects, err := parseSamples([]byte(adaptable))
	if err != nil {
		t.Fatal(err)
	}
	err = objects.adapt(map[string]standIn{"sts.example": {url: "https://127.0.0.1:1001"}})
	if err == nil || !strings.Contains(err.Error(), `"login.example"`) {
		t.Errorf("the error is %v, want one that names the host", err)
	}
}
