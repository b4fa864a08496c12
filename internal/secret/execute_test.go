// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"strings"
	"testing"
	gotemplate "text/template"

	"tokenrequest.dev/operator/internal/sts"
)

// FuzzTemplatesAsGo: what a template makes of a token is what Go's own engine makes with the same encoders,
// and where one can't write it, neither can the other.
func FuzzTemplatesAsGo(f *testing.F) {
	for _, seed := range []string{
		"a  {{- .TokenType -}}  b{{/* why */}}", "a\n{{ .AccessToken }}{{ .Scope }}",
		`{{ if and (not (eq .TokenType "MAC")) (or (eq .Scope "x") (ne .Scope "y")) }}yes{{ else if .Scope }}no{{ end }}`,
		`{{ or .Scope "none" }}{{ and .Scope .TokenType }}{{ "a" | or .Scope }}{{ .Scope | and "b" }}`,
		`{{ or .Scope (netrc .AccessToken) }}{{ and "" (env "") }}`,
		`{{ if not .Scope }}a{{ else }}{{ if .AccessToken }}b{{ end }}{{ end }}`,
		`{{ print "user:" .AccessToken | b64enc | json }}{{ json (b64enc (print "a" "b")) | percent }}`,
		`{{ (((.Scope))) }}{{ netrc .AccessToken | env }}`, "{{ `raw \\n` }}{{ \"\\u00e9\" }}",
		`{{ if not (not .Scope) }}{{ end }}{{ if or (eq .Scope "a") (eq .Scope "b") }}c{{ end }}`,
		"{{ .AccessToken" + strings.Repeat(" | json", 20) + " }}",
	} {
		f.Add(seed, `a "b" \c`, "invoices.read")
		f.Add(seed, "plain", "")
	}
	f.Fuzz(func(t *testing.T, source, token, scope string) {
		ours, _, err := compile("k", source)
		if err != nil {
			return
		}
		theirs, err := gotemplate.New("k").Funcs(forGo()).Parse(source)
		if err != nil {
			t.Fatalf("Go refuses what is allowed here: %v", err)
		}
		given := Record{TokenType: "Bearer", Scope: scope}.fields(sts.Sensitive(token))
		made, err := ours.execute(given)
		var want strings.Builder
		wantErr := theirs.Execute(&want, given)
		if refused, _ := errors.AsType[*TemplateError](err); refused != nil && refused.Problem == string(errTooLong) {
			return // Go has no bound for the whole
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, and by Go %v", source, err, wantErr)
		}
		if err == nil && string(made) != want.String() {
			t.Errorf("%q makes %q, and by Go %q", source, made, want.String())
		}
	})
}

// forGo are the functions that Go's engine doesn't have itself.
func forGo() gotemplate.FuncMap {
	functions := gotemplate.FuncMap{"print": func(parts ...string) (string, error) {
		var results []result
		for _, part := range parts {
			results = append(results, result{kind: text, text: part})
		}
		joined, err := joined(results)
		return joined.text, err
	}}
	for _, name := range []string{"b64enc", "json", "percent", "netrc", "env"} {
		f, _ := functionOf(name)
		functions[name] = func(s string) (string, error) {
			encoded, err := f.call([]result{{kind: text, text: s}})
			return encoded.text, err
		}
	}
	return functions
}
