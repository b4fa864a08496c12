// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"net/url"
	"strings"
)

// form returns the fields of the client credentials grant (RFC 6749 section
// 4.4.2), without the client's authentication.
func (r Request) form() url.Values {
	form := url.Values{}
	for name, value := range r.Parameters {
		form.Set(name, value)
	}
	form.Set("grant_type", "client_credentials")
	if len(r.Scopes) > 0 {
		form.Set("scope", strings.Join(r.Scopes, " "))
	}
	for _, resource := range r.Resources {
		form.Add("resource", resource)
	}
	if r.Claims != "" {
		form.Set("claims", r.Claims)
	}
	return form
}
