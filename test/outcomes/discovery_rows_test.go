// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"net/http"
	"time"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// discoveryRows name an authority; what the simulator is told to do, it does with the call for metadata.
var discoveryRows = []row{
	found("Metadata and a token", "The metadata names the token endpoint, which issues a token.", stssim.Action{}, 2, 0),
	found("No metadata", "Neither of the two places has a document: both answer 404.", stssim.Action{Status: http.StatusNotFound}, 2, unavailable),
	found("Metadata that is out of order", "The metadata's server answers 503.", stssim.Action{Status: http.StatusServiceUnavailable}, 1, unavailable),
	found("Metadata that is a page", "The metadata is an HTML page.", page, 1, unavailable),
	found("Metadata of another issuer", "The metadata names another issuer than the authority.", member("issuer", `"https://elsewhere.example"`), 1, unavailable),
	found("Metadata with an endpoint in the clear", "The metadata names a token endpoint without TLS.",
		member("token_endpoint", `"http://sts.example/token"`), 1, refused),
	found("Metadata with a link-local endpoint", "The metadata names a token endpoint at the address of a cloud's metadata service.",
		member("token_endpoint", `"https://169.254.169.254/token"`), 1, refused),
	found("Throttled metadata", "The metadata's server answers 429 with Retry-After: 30.",
		stssim.Action{Status: http.StatusTooManyRequests, RetryAfter: "30"}, 1, 30*time.Second),
}

func found(name, does string, act stssim.Action, calls int, wait time.Duration) row {
	return row{name: name, does: does, asked: stssim.KindDiscovery, act: act, spec: byAuthority, calls: calls, wait: wait}
}

func byAuthority(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer.Authority, r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.PlainIssuer(r.Namespace)), ""
}
