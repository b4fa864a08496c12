// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/operator"
)

// canary has what each encoding treats in its own way.
const canary = `q7Xw/+&=<"'>%` + "p0Vn8zKj4RtL2sYb6HdG"

func TestACanaryIsFoundInEveryForm(t *testing.T) {
	reversed := []byte(canary)
	slices.Reverse(reversed)
	quoted, err := json.Marshal(map[string]string{"message": canary})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as it is":                        "the secret " + canary + " was refused",
		"alone":                           canary,
		"its first twelve characters":     "…" + canary[:12] + "…",
		"its last twelve characters":      canary[len(canary)-12:],
		"twelve characters of its middle": canary[9:21],
		"reversed":                        string(reversed),
		"the end of it reversed":          string(reversed[:12]),
		"in JSON":                         string(quoted),
		"in HTML":                         "<p>" + html.EscapeString(canary) + "</p>",
		"in hexadecimal":                  hex.EncodeToString([]byte(canary)),
		"in a form":                       url.Values{"client_secret": {canary}}.Encode(),
		"in a form, in lower case":        strings.ToLower(url.QueryEscape(canary)),
		"in a path":                       "https://sts.example/" + url.PathEscape(canary),
		"in base64":                       base64.StdEncoding.EncodeToString([]byte(canary)),
		"in base64url":                    base64.RawURLEncoding.EncodeToString([]byte(canary)),
		"in Basic, one byte further":      base64.StdEncoding.EncodeToString([]byte("abc:" + canary)),
		"in Basic, two bytes further":     base64.StdEncoding.EncodeToString([]byte("abcd:" + canary + "=")),
		"half of it in base64":            base64.StdEncoding.EncodeToString([]byte("x" + canary[len(canary)/2:])),
	} {
		t.Run(name, func(t *testing.T) {
			got := operator.Leaks([]operator.Place{{Name: "the log", Text: text}, {Name: "an event", Text: "nothing"}},
				map[string]string{"the client secret": canary, "the token": "another-thing-altogether"})
			if diff := cmp.Diff([]string{"the client secret is in the log"}, got); diff != "" {
				t.Errorf("Leaks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoCanaryIsNoLeak(t *testing.T) {
	for name, text := range map[string]string{
		"eleven characters of it":      canary[:11] + " " + canary[len(canary)-11:],
		"nothing":                      "",
		"a text shorter than any part": "short",
	} {
		t.Run(name, func(t *testing.T) {
			if got := operator.Leaks([]operator.Place{{Name: "the log", Text: text}}, map[string]string{"the client secret": canary}); len(got) > 0 {
				t.Errorf("Leaks = %q, want none", got)
			}
		})
	}
}

func TestAShortCanaryIsFoundAsAWhole(t *testing.T) {
	secrets := map[string]string{"a PIN": "k3J9w", "no secret at all": ""}
	if diff := cmp.Diff([]string{"a PIN is in the log"}, operator.Leaks([]operator.Place{{Name: "the log", Text: "PIN k3J9w"}}, secrets)); diff != "" {
		t.Errorf("Leaks (-want +got):\n%s", diff)
	}
	if got := operator.Leaks([]operator.Place{{Name: "the log", Text: "PIN k3J9"}}, secrets); len(got) > 0 {
		t.Errorf("Leaks = %q, want none", got)
	}
}
