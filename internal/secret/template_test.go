// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

// shapedAs asks for one key with a template, and for another with the token.
func shapedAs(template string) *stsv1alpha1.TokenRequest {
	return newRequest(func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Secret = &stsv1alpha1.TokenSecret{Data: map[string]stsv1alpha1.SecretTemplate{
			"k": stsv1alpha1.SecretTemplate(template), "token": "{{ .AccessToken }}",
		}}
	})
}

func TestTemplatesMake(t *testing.T) {
	exchanged := newToken()
	exchanged.AccessToken, exchanged.IssuedTokenType = `a "b" \c`, "urn:ietf:params:oauth:token-type:jwt"
	tests := map[string]struct{ template, want string }{
		"text alone":                          {"fixed", "fixed"},
		"the token":                           {"{{ .AccessToken }}", `a "b" \c`},
		"every other field":                   {"{{.TokenType}} {{.IssuedTokenType}} {{.Scope}} {{.IssuedAt}} {{.ExpiresAt}}", "Bearer urn:ietf:params:oauth:token-type:jwt invoices.read 2030-01-02T03:04:05Z 2030-01-02T04:04:05Z"},
		"trimmed white space":                 {"a  {{- .TokenType -}}  b", "aBearerb"},
		"a comment":                           {"a{{/* why */}}b", "ab"},
		"several lines":                       {"a\nb: {{ .TokenType }}\n", "a\nb: Bearer\n"},
		"json":                                {"{{ json .AccessToken }}", `"a \"b\" \\c"`},
		"json of what HTML would escape":      {`{{ json "<&>" }}`, `"<&>"`},
		"base64":                              {"{{ b64enc .AccessToken }}", "YSAiYiIgXGM="},
		"percent-encoding":                    {"{{ percent .AccessToken }}", "a%20%22b%22%20%5Cc"},
		"percent-encoding of every separator": {`{{ percent "-._~:/?#[]@!$&'()*+,;=% " }}`, "-._~%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%25%20"},
		"netrc":                               {"{{ netrc .TokenType }}", "Bearer"},
		"env":                                 {"{{ env .TokenType }}", "Bearer"},
		"print":                               {`{{ print "a" "b" .TokenType }}`, "abBearer"},
		"a pipeline":                          {`{{ print "user:" .AccessToken | b64enc | json }}`, `"dXNlcjphICJiIiBcYw=="`},
		"parentheses":                         {`{{ json (b64enc (print "a" "b")) }}`, `"YWI="`},
		"if":                                  {`{{ if .Scope }}scoped{{ end }}`, "scoped"},
		"else":                                {`{{ if eq .TokenType "MAC" }}mac{{ else }}other{{ end }}`, "other"},
		"else if":                             {`{{ if eq .TokenType "MAC" }}mac{{ else if ne .Scope "" }}scoped{{ else }}other{{ end }}`, "scoped"},
		"and, or, not":                        {`{{ if and (not (eq .TokenType "MAC")) (or (eq .Scope "x") (ne .Scope "y")) }}yes{{ end }}`, "yes"},
		"or as a default":                     {`{{ or .Scope "none" }}`, "invoices.read"},
		"nothing, so no key":                  {`{{ if eq .TokenType "MAC" }}mac{{ end }}`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := string(bodyOf(shapedAs(test.template), exchanged).Data["k"])
			if got != test.want {
				t.Errorf("made %q, want %q", got, test.want)
			}
		})
	}
}

func TestTemplatesAreRefused(t *testing.T) {
	tests := map[string]struct{ template, says string }{
		"that can't be read":         {"{{ .AccessToken", "unclosed action"},
		"with an unknown function":   {"{{ env2 .AccessToken }}", "calls env2, which isn't allowed; the functions are and"},
		"with an unknown field":      {"{{ .RefreshToken }}", "has no field .RefreshToken; there are .AccessToken"},
		"with a field of a field":    {"{{ .AccessToken.Len }}", "has no field"},
		"with a field of a pipeline": {"{{ (print .Scope).Len }}", "isn't allowed"},
		"with a method":              {"{{ .String }}", "has no field .String"},
		"with everything":            {"{{ . }}", "isn't allowed"},
		"with everything by a name":  {"{{ $ }}", "isn't allowed"},
		"with a field of that":       {"{{ $.AccessToken }}", "isn't allowed"},
		"with a variable":            {"{{ $x := .Scope }}", "declares a variable"},
		"with a variable in if":      {"{{ if $x := .Scope }}{{ $x }}{{ end }}", "declares a variable"},
		"with range":                 {"{{ range .Scope }}a{{ end }}", "has range, which isn't allowed"},
		"with range over a number":   {"{{ range 1000000000 }}a{{ end }}", "has range, which isn't allowed"},
		"with break":                 {"{{ if .Scope }}{{ break }}{{ end }}", "{{break}} outside {{range}}"},
		"with with":                  {"{{ with .Scope }}{{ . }}{{ end }}", "has with, which isn't allowed"},
		"with else with":             {"{{ if .Scope }}{{ else with .Scope }}{{ end }}", "unexpected <with>"},
		"with define":                {`{{ define "x" }}a{{ end }}`, "defines another template"},
		"with define and text":       {`a{{ define "x" }}a{{ end }}`, "defines another template"},
		"with block":                 {`{{ block "x" . }}a{{ end }}`, "defines another template"},
		"with template":              {`{{ template "k" . }}`, "has template, which isn't allowed"},
		"with printf":                {`{{ printf "%1000000000s" .Scope }}`, "calls printf, which isn't allowed"},
		"with html":                  {`{{ html .Scope }}`, "calls html, which isn't allowed"},
		"with call":                  {`{{ call .Scope }}`, "calls call, which isn't allowed"},
		"with index":                 {`{{ index .Scope 1 }}`, "isn't allowed"},
		"with len":                   {`{{ len .Scope }}`, "calls len, which isn't allowed"},
		"with a number":              {`{{ 1 }}`, "isn't allowed"},
		"with nil":                   {`{{ print nil }}`, "isn't allowed"},
		"with true":                  {`{{ if true }}a{{ end }}`, "isn't allowed"},
		"with a function in a function without parentheses": {`{{ json b64enc }}`, "isn't allowed"},
		"that hands something to a text":                    {`{{ .Scope "a" }}`, "isn't a function"},
		"with too many arguments":                           {`{{ json .Scope .TokenType }}`, "something else than one text"},
		"with too few":                                      {`{{ json }}`, "something else than one text"},
		"with too few to compare":                           {`{{ if eq .Scope }}{{ end }}`, "something else than two texts"},
		"that encode a condition":                           {`{{ json (eq .Scope "a") }}`, "something else than one text"},
		"that print nothing":                                {`{{ print }}`, "something else than texts"},
		"that negate two":                                   {`{{ if not .Scope .Scope }}{{ end }}`, "something else than one value"},
		"that mix kinds":                                    {`{{ or .Scope (eq .Scope "a") }}`, "something else than values of one kind"},
		"that choose from nothing":                          {`{{ or }}`, "something else than values of one kind"},
		"that write a condition":                            {`{{ eq .Scope "a" }}`, "use it with if"},
		"with a mistake in a branch that isn't taken":       {`{{ if eq .Scope "" }}{{ .Nothing }}{{ end }}`, "has no field .Nothing"},
		"with a mistake in else":                            {`{{ if .Scope }}{{ else }}{{ .Nothing }}{{ end }}`, "has no field .Nothing"},
		"with a mistake in a condition":                     {`{{ if .Nothing }}{{ end }}`, "has no field .Nothing"},
		"with a mistake in an argument":                     {`{{ json (b64enc .Nothing) }}`, "has no field .Nothing"},
		"with too many calls":                               {strings.Repeat("{{ json .Scope }}", 65), "more than 64 functions"},
		"that are too long":                                 {strings.Repeat("a", 8<<10+1), "longer than 8 KiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := secret.NewShape(shapedAs(test.template))
			var refused *secret.TemplateError
			if !errors.As(err, &refused) || refused.Key != "k" || !strings.Contains(err.Error(), test.says) {
				t.Errorf("NewShape: %v, want a refusal of key k that says %q", err, test.says)
			}
		})
	}
}

func TestASecretWithoutTheTokenIsRefused(t *testing.T) {
	for _, template := range []string{"fixed", "{{ .ExpiresAt }}", "{{ if .AccessToken }}yes{{ end }}", `{{ ".AccessToken" }}`} {
		r := newRequest(func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Secret = &stsv1alpha1.TokenSecret{Data: map[string]stsv1alpha1.SecretTemplate{"k": stsv1alpha1.SecretTemplate(template)}}
		})
		if _, err := secret.NewShape(r); err == nil || !strings.Contains(err.Error(), "no template has the token") {
			t.Errorf("NewShape of %q: %v", template, err)
		}
	}
	for _, template := range []string{"a{{ if .Scope }}{{ else }}{{ json (print .AccessToken) }}{{ end }}", "{{ .AccessToken | b64enc }}"} {
		r := newRequest(func(r *stsv1alpha1.TokenRequest) {
			r.Spec.Secret = &stsv1alpha1.TokenSecret{Data: map[string]stsv1alpha1.SecretTemplate{"k": stsv1alpha1.SecretTemplate(template)}}
		})
		if _, err := secret.NewShape(r); err != nil {
			t.Errorf("NewShape of %q: %v", template, err)
		}
	}
}

// What a template makes of a token can be refused too; what it was is in no error.
func TestATokenThatATemplateCannotWrite(t *testing.T) {
	tests := map[string]struct{ template, token, says string }{
		"a space in netrc":                 {"{{ netrc .AccessToken }}", tokenCanary + " b", "can't write what netrc is given"},
		"a quote in an env file":           {"{{ env .AccessToken }}", tokenCanary + "'", "can't write what env is given"},
		"nothing in an env file":           {`{{ env "" }}`, tokenCanary, "env is given: it is empty"},
		"more than 64 KiB":                 {"{{ .AccessToken }}{{ .AccessToken }}", strings.Repeat("canary-of-an-access-token", 1500), "makes more than 64 KiB"},
		"more than 64 KiB in an encoder":   {"{{ if b64enc .AccessToken }}{{ end }}", strings.Repeat("canary-of-an-access-token", 2500), "makes more than 64 KiB"},
		"more than 64 KiB in print":        {"{{ if print .AccessToken .AccessToken }}{{ end }}", strings.Repeat("canary-of-an-access-token", 1500), "makes more than 64 KiB"},
		"backslashes that double and grow": {"{{ .AccessToken" + strings.Repeat(" | json", 60) + " }}", `\` + tokenCanary, "makes more than 64 KiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := shapedAs(test.template)
			shape, err := secret.NewShape(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := shape.Body(sts.Sensitive(test.token), recordOf(r, newToken()))
			var refused *secret.TemplateError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "the template of key k "+test.says) && !strings.Contains(err.Error(), test.says) {
				t.Fatalf("Body = %v, %v; want a refusal that says %q", body, err, test.says)
			}
			wantNoCanary(t, err.Error())
			if strings.Contains(fmt.Sprintf("%v %+v %#v %s", err, err, refused, body), "canary") {
				t.Error("the error shows a part of the token")
			}
		})
	}
}

func TestAShapeThatMakesNothingIsRefused(t *testing.T) {
	r := newRequest(func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Secret = &stsv1alpha1.TokenSecret{Data: map[string]stsv1alpha1.SecretTemplate{"k": `{{ if eq .TokenType "MAC" }}{{ .AccessToken }}{{ end }}`}}
	})
	shape, err := secret.NewShape(r)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := shape.Body(tokenCanary, recordOf(r, newToken())); err == nil {
		t.Errorf("Body = %v, want a refusal", body)
	}
}

// FuzzTemplates: no text makes NewShape or Body panic, run on, or make more than it may.
func FuzzTemplates(f *testing.F) {
	for _, seed := range []string{
		"{{ .AccessToken }}", `{{ if eq .Scope "a" }}{{ json (print .TokenType | b64enc) }}{{ else if not .Scope }}b{{ end }}`,
		"{{ range 9 }}{{ end }}", "{{ define `x` }}{{ end }}", "{{ $x := 1 }}", "{{ (((.Scope))) }}", "{{ netrc .AccessToken | env }}",
	} {
		f.Add(seed, tokenCanary)
	}
	f.Fuzz(func(t *testing.T, template, token string) {
		r := shapedAs(template)
		shape, err := secret.NewShape(r)
		if err != nil {
			if _, refused := errors.AsType[*secret.TemplateError](err); !refused {
				t.Fatalf("NewShape: %T", err)
			}
			return
		}
		body, err := shape.Body(sts.Sensitive(token), recordOf(r, newToken()))
		if err == nil && len(body.Data["k"]) > 64<<10 {
			t.Errorf("made %d bytes", len(body.Data["k"]))
		}
		if err != nil && len(token) > 8 && !strings.Contains(template, token) && strings.Contains(err.Error(), token) {
			t.Error("the error quotes the token")
		}
	})
}
