// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"tokenrequest.dev/operator/internal/secret"
)

// wantNoCanary refuses the token in each of the forms that printing gives to bytes.
func wantNoCanary(t *testing.T, shown string) {
	t.Helper()
	token := []byte(tokenCanary)
	decimal := make([]string, len(token))
	for i, b := range token {
		decimal[i] = strconv.Itoa(int(b))
	}
	forms := map[string]string{
		"as it is":   tokenCanary,
		"in decimal": strings.Join(decimal, " "),
		"in hex":     hex.EncodeToString(token),
		"in HEX":     strings.ToUpper(hex.EncodeToString(token)),
		"in Go":      strings.Trim(strings.TrimPrefix(fmt.Sprintf("%#v", token), "[]byte"), "{}"),
		"in base64":  base64.StdEncoding.EncodeToString(token),
	}
	for form, text := range forms {
		if strings.Contains(shown, text) {
			t.Errorf("the token is shown %s", form)
		}
	}
}

// show returns everything that printing, marshalling and logging makes of v.
func show(t *testing.T, v any) string {
	t.Helper()
	var all bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&all, format+"\n", v)
	}
	marshalled, err := json.Marshal(v)
	if err != nil {
		t.Errorf("marshalling: %v", err)
	}
	all.Write(marshalled)
	for _, logger := range []*slog.Logger{
		slog.New(slog.NewTextHandler(&all, nil)), slog.New(slog.NewJSONHandler(&all, nil)),
	} {
		logger.Info("value", "v", v)
	}
	return all.String()
}

func TestNothingShowsTheToken(t *testing.T) {
	r := newRequest()
	s := written(t, r, newToken())
	foreign := s.DeepCopy()
	foreign.OwnerReferences = nil
	held := secret.Hold(r, s)
	tests := map[string]any{
		"a holding":                 held,
		"a pointer to a holding":    &held,
		"holdings in a list":        []secret.Holding{held},
		"a holding in a struct":     struct{ Holding secret.Holding }{held},
		"a stranger's Secret":       secret.Hold(r, foreign),
		"what was inspected":        held.Inspect(r),
		"a record":                  held.Inspect(r).Record,
		"a plan":                    secret.Plan{RefreshAt: issued, Inputs: secret.Inputs(r.Spec.Issuer, &r.Spec)},
		"who holds a Secret":        held.Holder(),
		"why a Secret is of no use": secret.Hold(newRequest(dressed), s).Unusable(newRequest(dressed)),
	}
	for name, v := range tests {
		t.Run(name, func(t *testing.T) { wantNoCanary(t, show(t, v)) })
	}
}

func TestAHoldingPrintsStateAndName(t *testing.T) {
	r := newRequest()
	for want, h := range map[string]secret.Holding{
		"state 0, no Secret":             secret.Hold(r, nil),
		"state 1, Secret payments/graph": secret.Hold(r, written(t, r, newToken())),
	} {
		if got := fmt.Sprint(h); got != want {
			t.Errorf("the holding prints as %q, want %q", got, want)
		}
	}
}
