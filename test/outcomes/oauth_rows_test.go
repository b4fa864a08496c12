// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"fmt"
	"net/http"
	"time"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// oauthRows are the values of `error`, each with the status that it usually comes with.
var oauthRows = []row{
	said(http.StatusBadRequest, "invalid_request", "Missing parameter: audience", refused),
	said(http.StatusUnauthorized, "invalid_client", "Client authentication failed", refused),
	also(said(http.StatusBadRequest, "invalid_client", "Invalid client or Invalid client credentials", refused), "with 400"),
	said(http.StatusBadRequest, "invalid_grant", "The assertion has expired", refused),
	said(http.StatusBadRequest, "unauthorized_client", "Client not enabled to retrieve service account", refused),
	said(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant_type", refused),
	said(http.StatusBadRequest, "unsupported_response_type", "Unsupported response_type", refused),
	said(http.StatusBadRequest, "invalid_scope", "Invalid scopes: https://graph.example/.default", refused),
	said(http.StatusBadRequest, "invalid_target", "Unknown resource", refused),
	said(http.StatusBadRequest, "invalid_resource", "Resource not found", refused),
	said(http.StatusBadRequest, "interaction_required", "The user has to sign in", refused),
	said(http.StatusBadRequest, "login_required", "The session has ended", refused),
	said(http.StatusBadRequest, "account_selection_required", "Several sessions", refused),
	said(http.StatusBadRequest, "insufficient_user_authentication", "A stronger sign-in is needed", refused),
	said(http.StatusUnauthorized, "insufficient_claims", "A claims challenge has to be met", refused),
	said(http.StatusBadRequest, "consent_required", "Consent is missing", refused),
	said(http.StatusForbidden, "access_denied", "Not assigned to the client", refused),
	said(http.StatusInternalServerError, "server_error", "unknown error", unavailable),
	also(said(http.StatusBadRequest, "server_error", "unknown error", unavailable), "with 400"),
	said(http.StatusServiceUnavailable, "temporarily_unavailable", "maintenance", unavailable),
	also(said(http.StatusBadRequest, "temporarily_unavailable", "maintenance", unavailable), "with 400"),
	said(http.StatusBadRequest, "authorization_pending", "The user has not signed in yet", refused),
	said(http.StatusBadRequest, "slow_down", "Polling too fast", refused),
	said(http.StatusBadRequest, "authorization_declined", "The user declined", refused),
	said(http.StatusBadRequest, "bad_verification_code", "Unknown device code", refused),
	said(http.StatusBadRequest, "expired_token", "The device code has expired", refused),
	said(http.StatusBadRequest, "code_expired", "The device code has expired", refused),
	said(http.StatusUnauthorized, "invalid_token", "The token has expired", refused),
	said(http.StatusForbidden, "insufficient_scope", "The token lacks a scope", refused),
	said(http.StatusBadRequest, "invalid_instance", "Unknown authority host", refused),
	also(said(http.StatusBadRequest, "invalid_request", "Identity not found", refused), "of a metadata service without the identity"),
	said(http.StatusTooManyRequests, "request_throttled", "Too many requests", throttled),
	said(http.StatusGatewayTimeout, "request_timeout", "No answer from upstream", unavailable),
	said(http.StatusServiceUnavailable, "service_not_available", "Upstream is down", unavailable),
	said(http.StatusBadGateway, "non_parsable_oauth_error", "Upstream sent no JSON", unavailable),
	said(http.StatusBadGateway, "http_status_not_200", "Upstream answered 302", unavailable),
	said(http.StatusNotFound, "not_found", "No such endpoint", unavailable),
	said(http.StatusBadRequest, "quota_of_the_moon_exceeded", "An error of this server's own", refused),
	also(said(http.StatusUnauthorized, "quota_of_the_moon_exceeded", "An error of this server's own", refused), "with 401"),
	also(said(http.StatusForbidden, "quota_of_the_moon_exceeded", "An error of this server's own", refused), "with 403"),
	also(said(http.StatusInternalServerError, "quota_of_the_moon_exceeded", "An error of this server's own", unavailable), "with 500"),
}

// said is an error in the words of RFC 6749.
func said(status int, code, description string, wait time.Duration) row {
	return row{
		name:  code,
		does:  fmt.Sprintf("The STS answers %d `%s`.", status, code),
		act:   stssim.Action{Status: status, Error: &stssim.ErrorBody{Error: code, Description: description}},
		spec:  atPlainServer,
		calls: 1, wait: wait,
	}
}

// also tells two rows of one error apart.
func also(r row, how string) row {
	r.name += " " + how
	return r
}

// atPlainServer asks the simulator by the path where it knows no more than the RFCs.
func atPlainServer(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.PlainIssuer(r.Namespace) + "/token")
}
