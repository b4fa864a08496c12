// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

const shapesFolder = "../../config/samples/shapes"

// preset is a shape that the samples show: how its readers come by the token.
type preset struct {
	read func(data map[string]string) (string, bool)
	// refuses says that the format has no one spelling for some tokens.
	refuses bool
}

func presets() map[string]preset {
	return map[string]preset{
		"raw-token":            {read: key("token")},
		"authorization-header": {read: behind("authorization", "Bearer ")},
		"dockerconfigjson":     {read: dockerPassword},
		"git-basic-auth":       {read: key("password")},
		"netrc":                {read: netrcPassword, refuses: true},
		"git-credentials":      {read: storedPassword},
		"argocd-repository":    {read: key("password")},
		"flux-bearer-token":    {read: key("bearerToken")},
		"env-file":             {read: environmentToken, refuses: true},
	}
}

func key(name string) func(map[string]string) (string, bool) { return behind(name, "") }

func behind(name, prefix string) func(map[string]string) (string, bool) {
	return func(data map[string]string) (string, bool) { return strings.CutPrefix(data[name], prefix) }
}

// dockerPassword reads what a kubelet does: the one registry's auth, and its password beside it.
func dockerPassword(data map[string]string) (string, bool) {
	var config struct {
		Auths map[string]struct{ Username, Password, Auth string }
	}
	decoder := json.NewDecoder(strings.NewReader(data[".dockerconfigjson"]))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&config) != nil || decoder.More() || len(config.Auths) != 1 {
		return "", false
	}
	registry := config.Auths["registry.example.com"]
	decoded, err := base64.StdEncoding.DecodeString(registry.Auth)
	return registry.Password, err == nil && string(decoded) == registry.Username+":"+registry.Password
}

// netrcPassword reads words, as every reader of netrc does at least.
func netrcPassword(data map[string]string) (string, bool) {
	words := strings.Fields(data[".netrc"])
	if len(words) != 6 || strings.Count(data[".netrc"], "\n") != 3 {
		return "", false
	}
	return words[5], slices.Equal(words[:5], []string{"machine", "git.example.com", "login", "oauth2", "password"})
}

func storedPassword(data map[string]string) (string, bool) {
	lines := strings.Split(data[".git-credentials"], "\n")
	if len(lines) != 2 || lines[1] != "" {
		return "", false
	}
	u, err := url.Parse(lines[0])
	if err != nil || u.Host != "git.example.com" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	return u.User.Password()
}

// environmentToken reads lines without any quotes, as Docker does. What it takes for the token has to
// be made of characters that a shell takes as they are, too.
func environmentToken(data map[string]string) (string, bool) {
	lines := strings.Split(data["token.env"], "\n")
	if len(lines) != 3 || lines[2] != "" || !strings.HasPrefix(lines[1], "ORDERS_TOKEN_EXPIRES=") {
		return "", false
	}
	token, found := strings.CutPrefix(lines[0], "ORDERS_TOKEN=")
	return token, found && !strings.ContainsAny(token, " \t'\"\\$`#&|;<>(){}[]*?!") && !homely(token)
}

// homely says that a shell puts a home directory into a value that is assigned (POSIX.1-2024, Shell &
// Utilities 2.6.1).
func homely(value string) bool { return strings.HasPrefix(value, "~") || strings.Contains(value, ":~") }

// samples reads each file of config/samples/shapes.
func samples(t testing.TB) map[string]*stsv1alpha1.TokenRequest {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shapesFolder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	requests := map[string]*stsv1alpha1.TokenRequest{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		request := &stsv1alpha1.TokenRequest{}
		if err := yaml.UnmarshalStrict(content, request); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		requests[strings.TrimSuffix(filepath.Base(file), ".yaml")] = request
	}
	return requests
}

// checkPreset writes a token in the shape of a sample, and reads it as the readers of the format do:
// whatever an STS has put into it, they find that token and nothing else, or there is no Secret.
func checkPreset(t *testing.T, name string, request *stsv1alpha1.TokenRequest, token string) {
	t.Helper()
	preset, known := presets()[name]
	if !known {
		t.Fatalf("nothing here reads the sample %s", name)
	}
	shape, err := secret.NewShape(request)
	if err != nil {
		t.Fatalf("NewShape of sample %s: %v", name, err)
	}
	answer := newToken()
	answer.AccessToken = sts.Sensitive(token)
	body, err := shape.Body(answer.AccessToken, recordOf(request, answer))
	if err != nil {
		if !preset.refuses || isPlain(token) {
			t.Errorf("sample %s refuses a token of %d characters: %v", name, len(token), err)
		}
		return
	}
	data := map[string]string{}
	for k, v := range body.Data {
		data[k] = string(v)
	}
	if got, found := preset.read(data); !found || got != token {
		t.Errorf("sample %s: readers find %q (%t), want %q", name, got, found, token)
	}
}

// isPlain says that a token has the characters that RFC 6750 allows in a header, as all have that
// are in use, and nothing that a shell replaces.
func isPlain(token string) bool {
	return token != "" && !homely(token) && strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") == ""
}

// hostileTokens are VSCHAR (RFC 6749 appendix A.12), which is all that package sts lets in.
func hostileTokens() []string {
	return []string{
		tokenCanary, "ya29.a0Af_B-by~C/d+e==", "EwB4A8l6BAAU!*$abc%21",
		`","auths":{"evil.example":{"auth":"eA=="}},"x":"`, `\`, `\\`, `"`, `""`, `'`, "`id`", "$(id)", "${HOME}", "$HOME",
		"a b", " leading", "trailing ", "#comment", "a#b", "a@evil.example/", "a:b@evil.example", "%0Ahost=evil.example", "%", "%zz",
		"a&b", "a;b", "a|b", "a?b#c", "{{ .AccessToken }}", "machine evil.example login x password y", "default login x password y",
		"macdef init", `<script>`, "~", "~/abc", "~root", "a:~/b", "a~b:c/~", "=", "\\n", "]]>", strings.Repeat("a", 15<<10),
	}
}

func TestPresetsHoldForAnyToken(t *testing.T) {
	requests := samples(t)
	if len(requests) != len(presets()) {
		t.Errorf("%d samples, want %d", len(requests), len(presets()))
	}
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			for _, token := range hostileTokens() {
				checkPreset(t, name, request, token)
			}
		})
	}
}

func FuzzPresets(f *testing.F) {
	requests := samples(f)
	for _, token := range hostileTokens() {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if token == "" || len(token) > 15<<10 || strings.ContainsFunc(token, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			return // not a token: see sts.Token
		}
		for name, request := range requests {
			checkPreset(t, name, request, token)
		}
	})
}
