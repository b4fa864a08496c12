// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"tokenrequest.dev/operator/internal/sts"
)

// show returns everything that printing, marshalling and logging makes of v.
func show(t *testing.T, v any) string {
	t.Helper()
	var all bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%40v", "%.2s"} {
		fmt.Fprintf(&all, format+"\n", v)
	}
	marshalled, err := json.Marshal(v)
	if err != nil {
		fmt.Fprintln(&all, err)
	}
	all.Write(marshalled)
	for _, logger := range []*slog.Logger{
		slog.New(slog.NewTextHandler(&all, nil)), slog.New(slog.NewJSONHandler(&all, nil)),
	} {
		logger.Info("value", "v", v)
	}
	return all.String()
}

func TestNothingShowsASecret(t *testing.T) {
	s := serve(t, answers(200, success))
	request := s.request()
	client := sts.New(options())
	token, err := client.Token(t.Context(), request)
	if err != nil {
		t.Fatalf("asking: %v", err)
	}
	if token.AccessToken.Reveal() != tokenCanary {
		t.Fatalf("the token is %q, want %q", token.AccessToken.Reveal(), tokenCanary)
	}
	tests := map[string]any{
		"a secret":                 sts.Sensitive(secretCanary),
		"a pointer to a secret":    new(sts.Sensitive(secretCanary)),
		"secrets in a list":        []sts.Sensitive{secretCanary},
		"a secret in an interface": []any{sts.Sensitive(secretCanary)},
		"a token":                  *token,
		"a pointer to a token":     token,
		"a request":                request,
		"a client that has called": client,
	}
	for name, v := range tests {
		t.Run(name, func(t *testing.T) { wantNoCanary(t, name, show(t, v)) })
	}
}

func TestSensitiveSaysRedacted(t *testing.T) {
	for _, s := range []sts.Sensitive{"", secretCanary} {
		text, _ := s.MarshalText()
		inJSON, _ := s.MarshalJSON()
		for how, got := range map[string]string{
			"String": s.String(), "GoString": s.GoString(), "Format": fmt.Sprintf("%q", s),
			"MarshalText": string(text), "MarshalJSON": string(inJSON), "LogValue": s.LogValue().String(),
		} {
			want := "[redacted]"
			if how == "MarshalJSON" {
				want = `"[redacted]"`
			}
			if got != want {
				t.Errorf("%s gives %q, want %q", how, got, want)
			}
		}
	}
	if got := sts.Sensitive(secretCanary).Reveal(); got != secretCanary {
		t.Errorf("Reveal gives %q, want %q", got, secretCanary)
	}
}
