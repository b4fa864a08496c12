// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// entraHosts are the login hosts of Microsoft's clouds (Microsoft's "national
// clouds" page and the alias list of its libraries). sts.windows.net isn't
// among them: it is an issuer, whose document names the v1 endpoint.
var entraHosts = []string{
	"login.microsoftonline.com", "login.microsoft.com", "login.windows.net", // public
	"login.microsoftonline.us",                                   // US Government
	"login.partner.microsoftonline.cn", "login.chinacloudapi.cn", // China, 21Vianet
}

// entraExternal is where Entra External ID has a host per tenant.
const entraExternal = ".ciamlogin.com"

// entraTenant is a GUID, a domain name, or "common" and its like.
var entraTenant = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

// entra returns the metadata of an Entra authority, https://host/tenant with or
// without /v2.0. It is computed: discovery would have to compare an issuer that
// names the tenant by GUID, and an outage of it would stop tokens that need
// nothing from it. The endpoints are at the authority's own host, because a
// sovereign cloud's request must never reach the public one (MSAL Python asks
// login.microsoftonline.com about every authority, and fails where egress ends
// at the border).
func entra(authority string) (Metadata, bool) {
	host, tenant := splitAuthority(authority)
	name, external := strings.CutSuffix(host, entraExternal)
	external = external && name != "" && !strings.Contains(name, ".")
	if external && tenant == "" {
		tenant = name + ".onmicrosoft.com" // as Microsoft's libraries complete it
	}
	if !external && !slices.Contains(entraHosts, host) || !entraTenant.MatchString(tenant) {
		return Metadata{}, false
	}
	base := "https://" + host + "/" + tenant
	return Metadata{
		Issuer:                      base + "/v2.0",
		TokenEndpoint:               base + "/oauth2/v2.0/token",
		DeviceAuthorizationEndpoint: base + "/oauth2/v2.0/devicecode",
		AuthMethods:                 []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		Scopes:                      signInScopes,
		Entra:                       true,
	}, true
}

// splitAuthority returns the host and what else an https authority has before
// /v2.0, or nothing for a URL that has more than that.
func splitAuthority(authority string) (host, tenant string) {
	u, err := url.Parse(authority)
	if err != nil || u.Scheme != "https" || u.User != nil || strings.ContainsAny(authority, "?#") {
		return "", ""
	}
	if port := u.Port(); port != "" && port != "443" {
		return "", ""
	}
	path := "/" + strings.Trim(u.EscapedPath(), "/")
	return strings.ToLower(u.Hostname()), strings.Trim(strings.TrimSuffix(path, "/v2.0"), "/")
}
