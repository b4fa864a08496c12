// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
)

// wantNoCanary refuses the client secret in each of the forms that printing gives to it.
func wantNoCanary(t *testing.T, shown string) {
	t.Helper()
	secret := []byte(secretCanary)
	for form, text := range map[string]string{
		"as it is":   secretCanary,
		"in part":    "canary",
		"in decimal": "99 97 110 97 114 121",
		"in hex":     hex.EncodeToString(secret),
		"in base64":  base64.StdEncoding.EncodeToString(secret),
	} {
		if strings.Contains(strings.ToLower(shown), strings.ToLower(text)) {
			t.Errorf("the secret is shown %s", form)
		}
	}
}

func TestNothingShowsTheClientSecret(t *testing.T) {
	held := resolve(t, everything(), newIssuer(withClientIDOf("app", "client_id"), withCA(stsv1alpha1.CABundleSecret)))
	if held.Secret.Reveal() != secretCanary {
		t.Fatalf("the secret is %q, want %q", held.Secret.Reveal(), secretCanary)
	}
	for name, v := range map[string]any{
		"a credential":              *held,
		"a pointer to a credential": held,
		"credentials in a list":     []credential.Credential{*held},
		"a credential in a struct":  struct{ Credential *credential.Credential }{held},
	} {
		t.Run(name, func(t *testing.T) {
			var shown bytes.Buffer
			for _, format := range []string{"%v", "%+v", "%#v"} {
				fmt.Fprintf(&shown, format+"\n", v)
			}
			marshalled, err := json.Marshal(v)
			if err != nil {
				t.Errorf("marshalling: %v", err)
			}
			shown.Write(marshalled)
			slog.New(slog.NewTextHandler(&shown, nil)).Info("value", "v", v)
			slog.New(slog.NewJSONHandler(&shown, nil)).Info("value", "v", v)
			wantNoCanary(t, shown.String())
		})
	}
}

// Whatever is wrong with a value, the condition doesn't quote it.
func TestNoProblemShowsAValue(t *testing.T) {
	for name, value := range map[string]string{
		"with a line feed":  secretCanary + "\n",
		"beyond ASCII":      secretCanary + "ü",
		"with a NUL":        secretCanary + "\x00",
		"without PEM":       secretCanary,
		"with some PEM":     secretCanary + "-----BEGIN CERTIFICATE-----",
		"longer than an id": strings.Repeat(secretCanary, 20),
	} {
		s := &corev1.Secret{ObjectMeta: meta("ca"), Data: map[string][]byte{"ca.crt": []byte(value)}}
		resolver := resolverOf(&cluster{objects: []client.Object{s}})
		t.Run("a trust root "+name, func(t *testing.T) {
			wantNoCanary(t, fmt.Sprintf("%+v", refuse(t, resolver, newIssuer(withoutCredential, withCA(stsv1alpha1.CABundleSecret)))))
		})
		if strings.HasPrefix(name, "with") && strings.Contains(name, "PEM") {
			continue // no fault in a client identifier
		}
		t.Run("a client identifier "+name, func(t *testing.T) {
			wantNoCanary(t, fmt.Sprintf("%+v", refuse(t, resolver, newIssuer(withoutCredential, withClientIDOf("ca", "ca.crt")))))
		})
	}
}
