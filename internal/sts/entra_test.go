// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

func TestKnownComputesEntra(t *testing.T) {
	const tenant = "9188040d-6c67-4c5b-b112-36a304b66dad"
	tests := map[string]struct{ authority, base string }{
		"the public cloud":             {"https://login.microsoftonline.com/contoso.onmicrosoft.com", "https://login.microsoftonline.com/contoso.onmicrosoft.com"},
		"a tenant by its GUID":         {"https://login.microsoftonline.com/" + tenant, "https://login.microsoftonline.com/" + tenant},
		"the v2.0 issuer":              {"https://login.microsoftonline.com/" + tenant + "/v2.0", "https://login.microsoftonline.com/" + tenant},
		"slashes at the end":           {"https://login.microsoftonline.com/" + tenant + "/v2.0/", "https://login.microsoftonline.com/" + tenant},
		"a host in capitals":           {"https://Login.MicrosoftOnline.com/common", "https://login.microsoftonline.com/common"},
		"the port that https has":      {"https://login.microsoftonline.com:443/common", "https://login.microsoftonline.com/common"},
		"an old name":                  {"https://login.windows.net/common", "https://login.windows.net/common"},
		"the US Government's cloud":    {"https://login.microsoftonline.us/" + tenant, "https://login.microsoftonline.us/" + tenant},
		"the cloud in China":           {"https://login.partner.microsoftonline.cn/" + tenant, "https://login.partner.microsoftonline.cn/" + tenant},
		"its old name":                 {"https://login.chinacloudapi.cn/" + tenant, "https://login.chinacloudapi.cn/" + tenant},
		"External ID":                  {"https://contoso.ciamlogin.com/contoso.onmicrosoft.com/v2.0", "https://contoso.ciamlogin.com/contoso.onmicrosoft.com"},
		"External ID without a tenant": {"https://contoso.ciamlogin.com/", "https://contoso.ciamlogin.com/contoso.onmicrosoft.com"},
		"External ID's bare issuer":    {"https://contoso.ciamlogin.com/v2.0", "https://contoso.ciamlogin.com/contoso.onmicrosoft.com"},
	}
	client := sts.New(options())
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			want := sts.Metadata{
				Issuer:                      tc.base + "/v2.0",
				TokenEndpoint:               tc.base + "/oauth2/v2.0/token",
				DeviceAuthorizationEndpoint: tc.base + "/oauth2/v2.0/devicecode",
				AuthMethods:                 []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
				Scopes:                      []string{"openid", "profile", "offline_access"},
				Entra:                       true,
			}
			got, known := client.Known(tc.authority, sts.Transport{})
			if diff := cmp.Diff(want, got); diff != "" || !known {
				t.Errorf("known %t, metadata (-want +got):\n%s", known, diff)
			}
			discovered, err := client.Discover(t.Context(), tc.authority, sts.Transport{})
			if diff := cmp.Diff(want, discovered); diff != "" || err != nil {
				t.Errorf("discovered with error %v, metadata (-want +got):\n%s", err, diff)
			}
			if got := sts.DefaultAuthMethod(discovered); got != sts.AuthClientSecretPost {
				t.Errorf("the client authenticates by %s, want %s", got, sts.AuthClientSecretPost)
			}
		})
	}
}

func TestKnownLeavesOthersToDiscovery(t *testing.T) {
	for name, authority := range map[string]string{
		"another issuer":              "https://sts.example.com/tenant",
		"a host that ends alike":      "https://evil-login.microsoftonline.com/tenant",
		"a host below":                "https://x.login.microsoftonline.com/tenant",
		"a host that begins alike":    "https://login.microsoftonline.com.evil.example/tenant",
		"External ID's domain itself": "https://ciamlogin.com/tenant",
		"a host below External ID's":  "https://a.b.ciamlogin.com/tenant",
		"no tenant":                   "https://login.microsoftonline.com/",
		"a version for a tenant":      "https://login.microsoftonline.com/v2.0",
		"a deeper path":               "https://login.microsoftonline.com/tfp/tenant/policy",
		"a path that climbs":          "https://login.microsoftonline.com/..",
		"a path with an escape":       "https://login.microsoftonline.com/a%2Fb",
		"http":                        "http://login.microsoftonline.com/tenant",
		"another port":                "https://login.microsoftonline.com:8443/tenant",
		"a user":                      "https://u@login.microsoftonline.com/tenant",
		"a query":                     "https://login.microsoftonline.com/tenant?x",
		"a fragment":                  "https://login.microsoftonline.com/tenant#x",
		"what cannot be parsed":       "https://login.microsoftonline.com/%zz",
		"the v1 issuer, not a host":   "https://sts.windows.net/tenant",
	} {
		t.Run(name, func(t *testing.T) {
			if m, known := sts.New(options()).Known(authority, sts.Transport{}); known {
				t.Errorf("%s is known as %v, want it unknown", authority, m)
			}
		})
	}
}

func TestDiscoverKeepsEntraToTheAllowedHosts(t *testing.T) {
	o := options()
	o.AllowedHosts = []string{"sts.example.com"}
	_, err := sts.New(o).Discover(t.Context(), "https://login.microsoftonline.com/tenant", sts.Transport{})
	if err == nil || err.Reason != oautherr.ReasonEndpointRefused {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestDefaultAuthMethod(t *testing.T) {
	tests := map[string]struct {
		metadata sts.Metadata
		want     sts.AuthMethod
	}{
		"a server that lists nothing gets RFC 8414's default": {sts.Metadata{}, sts.AuthClientSecretBasic},
		"a server that lists both gets basic":                 {sts.Metadata{AuthMethods: []string{"client_secret_post", "client_secret_basic"}}, sts.AuthClientSecretBasic},
		"a server that lists only post gets post":             {sts.Metadata{AuthMethods: []string{"client_secret_post"}}, sts.AuthClientSecretPost},
		"a server that lists neither gets post":               {sts.Metadata{AuthMethods: []string{"private_key_jwt"}}, sts.AuthClientSecretPost},
		"Entra gets post, though it lists basic":              {sts.Metadata{AuthMethods: []string{"client_secret_basic"}, Entra: true}, sts.AuthClientSecretPost},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := sts.DefaultAuthMethod(tc.metadata); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
