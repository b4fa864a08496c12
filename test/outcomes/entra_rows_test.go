// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"fmt"
	"net/http"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

const (
	challenge = `{"access_token":{"capolids":{"essential":true,"values":["c1"]}}}`
	blocked   = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
)

// entraRows are a representative number of each class, and the variants of invalid_grant.
var entraRows = []row{
	numbered(http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app 'shop'.", propagating),
	numbered(http.StatusUnauthorized, "invalid_client", 7000222, "The provided client secret keys for app 'shop' are expired.", refused),
	numbered(http.StatusUnauthorized, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", refused),
	numbered(http.StatusUnauthorized, "invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not registered on application.", propagating),
	numbered(http.StatusUnauthorized, "invalid_client", 700024, "Client assertion is not within its valid time range. Current time: 2026-11-21T12:00:00.0000000Z, assertion valid from 2026-11-21T10:00:00.0000000Z, expiry time of assertion 2026-11-21T11:00:00.0000000Z.", refused),
	numbered(http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier 'shop' was not found in the directory 'payments'.", propagating),
	numbered(http.StatusUnauthorized, "invalid_client", 70021, "No matching federated identity record found for presented assertion.", propagating),
	numbered(http.StatusUnauthorized, "invalid_client", 700211, "No matching federated identity record found for presented assertion issuer 'https://oidc.example'.", propagating),
	numbered(http.StatusUnauthorized, "invalid_client", 700212, "No matching federated identity record found for presented assertion audience 'api://wrong'.", propagating),
	numbered(http.StatusUnauthorized, "invalid_client", 700213, "No matching federated identity record found for presented assertion subject 'system:serviceaccount:payments:shop'.", propagating),
	numbered(http.StatusUnauthorized, "invalid_client", 7002138, "No matching federated identity record found for presented assertion subject.", propagating),
	numbered(http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named https://graph.example was not found in the tenant named payments.", propagating),
	numbered(http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope https://graph.example/.default is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.", refused),
	numbered(http.StatusBadRequest, "invalid_request", 90002, "Tenant 'payments' not found.", refused),
	numbered(http.StatusBadRequest, "invalid_grant", 65001, "The user or administrator has not consented to use the application with ID 'shop'.", refused, suberror("consent_required")),
	numbered(http.StatusBadRequest, "invalid_grant", 53003, blocked, refused, suberror("message_only")),
	numbered(http.StatusBadRequest, "invalid_grant", 530032, "User blocked due to risk on home tenant.", refused, suberror("message_only")),
	numbered(http.StatusBadRequest, "interaction_required", 50076, "Due to a configuration change made by your administrator, you must use multi-factor authentication to access 'graph'.", refused, claims, suberror("basic_action")),
	numbered(http.StatusBadRequest, "invalid_grant", 50196, "The server terminated an operation because it encountered a client request loop.", loop),
	numbered(http.StatusBadRequest, "invalid_request", 90055, "The tenant is throttled.", throttled),
	numbered(http.StatusServiceUnavailable, "temporarily_unavailable", 90033, "A transient error has occurred. Please try again.", unavailable),
	numbered(http.StatusBadRequest, "invalid_request", 90099999, "A number that nobody here knows.", refused),
	grant("bad_token"),
	grant("token_expired"),
	grant("basic_action"),
	grant("additional_action"),
	grant("message_only"),
	grant("user_password_expired"),
	grant("consent_required"),
	grant("client_mismatch"),
	grant("protection_policy_required"),
	{
		name: "invalid_grant with a claims challenge", does: "Entra answers 400 `invalid_grant` with `claims`.",
		act:   stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_grant", Description: blocked, Claims: challenge}},
		calls: 1, wait: refused,
	}, {
		name: "interaction_required with a claims challenge", does: "Entra answers 400 `interaction_required` with `claims` and no number.",
		act:   stssim.Action{Error: &stssim.ErrorBody{Error: "interaction_required", Description: "Step up.", Claims: challenge}},
		calls: 1, wait: refused,
	}, {
		name: "Numbers as strings", does: "A library between Entra and us writes `error_codes` as strings.",
		act: stssim.Action{Status: http.StatusUnauthorized,
			Body: `{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are expired.","error_codes":["7000222"]}`},
		calls: 1, wait: refused,
	}, {
		name: "A number in the description alone", does: "Entra's error arrives without `error_codes`, with its ids on lines of their own.",
		act: stssim.Action{Status: http.StatusUnauthorized,
			Body: `{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are expired.\r\nTrace ID: 3f2504e0-4f89-11d3-9a0c-0305e82c3301\r\nCorrelation ID: 7d44b0a4-11a5-4a5e-9d3c-2f0c8f1f9f10\r\nTimestamp: 2026-11-21 12:00:00Z"}`},
		calls: 1, wait: refused,
	},
}

// numbered is an error of Entra's with its number.
func numbered(status int, code string, number int, description string, wait time.Duration, more ...func(*stssim.ErrorBody)) row {
	body := &stssim.ErrorBody{Error: code, Description: fmt.Sprintf("AADSTS%d: %s", number, description), Codes: []int{number}}
	for _, change := range more {
		change(body)
	}
	return row{
		name: fmt.Sprintf("AADSTS%d", number),
		does: fmt.Sprintf("Entra answers %d `%s` with AADSTS%d.", status, code, number),
		act:  stssim.Action{Status: status, Error: body}, calls: 1, wait: wait,
	}
}

func suberror(value string) func(*stssim.ErrorBody) {
	return func(e *stssim.ErrorBody) { e.Suberror = value }
}

func claims(e *stssim.ErrorBody) { e.Claims = challenge }

// grant is an invalid_grant with a suberror.
func grant(sub string) row {
	return row{
		name: "invalid_grant with the suberror " + sub,
		does: fmt.Sprintf("Entra answers 400 `invalid_grant` with `suberror` %s.", sub),
		act:  stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_grant", Description: "The grant was refused.", Suberror: sub}}, calls: 1, wait: refused,
	}
}
