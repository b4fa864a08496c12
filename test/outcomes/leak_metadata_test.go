// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"fmt"
	"net/http"

	"tokenrequest.dev/operator/test/stssim"
)

// metadataPaths are documents of an authority that show the secret, which an STS knows without being
// told.
func metadataPaths() []leakPath {
	document := func(name string, secret shape, act func(c canaries) stssim.Action) leakPath {
		return pathOf(name, secret, func(c canaries) row {
			// A JWT of the simulator's own has in common with the canaries what all JWTs have.
			return row{asked: stssim.KindDiscovery, act: act(c), spec: byAuthority,
				besides: map[stssim.Kind]stssim.Action{stssim.KindToken: {Body: response(c)}}}
		})
	}
	endpoint := func(name string, format string) leakPath {
		return document(name, word, func(c canaries) stssim.Action {
			return member("token_endpoint", marshal(fmt.Sprintf(format, c.secret)))
		})
	}
	return []leakPath{
		document("metadata refused with the secret", spiced, func(c canaries) stssim.Action {
			return stssim.Action{Status: http.StatusBadRequest, Body: marshal(map[string]any{"error": "invalid_request", "error_description": "Not for " + c.secret})}
		}).calledTwice(),
		document("metadata out of order with the secret", word, func(c canaries) stssim.Action {
			return stssim.Action{Status: http.StatusServiceUnavailable, Body: marshal(map[string]any{"error": c.secret, "trace_id": c.secret})}
		}),
		document("metadata in HTML with the secret", spiced, func(c canaries) stssim.Action {
			return stssim.Action{Body: "<html>" + c.secret + "</html>"}
		}),
		document("metadata of the issuer secret", word, func(c canaries) stssim.Action {
			return member("issuer", marshal("https://"+c.secret+".example"))
		}),
		document("metadata with the secret for a method", spiced, func(c canaries) stssim.Action {
			return member("token_endpoint_auth_methods_supported", marshal([]string{c.secret}))
		}).calledTwice(),
		endpoint("metadata with the secret in an endpoint that is refused", "http://127.0.0.1/%s"),
		endpoint("metadata with the secret in an endpoint's user", "https://%s@127.0.0.1/token"),
		endpoint("metadata with the secret in an endpoint's path", "https://127.0.0.1:1/%s/token"),
		endpoint("metadata with the secret in an endpoint's query", "https://127.0.0.1:1/token?secret=%s"),
		endpoint("metadata with the secret in an endpoint's host", "https://%s."+nowhere+"/token"),
	}
}
