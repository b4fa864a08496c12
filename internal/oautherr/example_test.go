// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"fmt"
	"net/http"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

// A token service refuses a client, and the Error says who can help and how.
func ExampleFromResponse() {
	refusal := oautherr.Response{
		Status: http.StatusUnauthorized,
		Body: []byte(`{"error":"invalid_client",` +
			`"error_description":"AADSTS7000222: The provided client secret keys are expired. Trace ID: 0a1b2c3d-4e5f"}`),
	}
	err := oautherr.FromResponse(refusal, time.Unix(0, 0)).Redact("Xk8Q~9dKz2.Lm4Np6Rs8Tv0Wy")

	fmt.Println(err.Class, err.Kind(), err.Permanent())
	fmt.Println(err.Description)
	fmt.Println(err.Message(oautherr.Subject{
		Host:       "login.microsoftonline.com",
		ClientID:   "11111111-2222-3333-4444-555555555555",
		Credential: "Secret payments/graph-app key client_secret",
	}))
	// Output:
	// Credential Refused true
	// AADSTS7000222: The provided client secret keys are expired.
	// login.microsoftonline.com refused client 11111111-2222-3333-4444-555555555555: invalid_client (AADSTS7000222). Create a new secret for client 11111111-2222-3333-4444-555555555555 and store its value in Secret payments/graph-app key client_secret, or change to a federated credential, which does not expire.
}

// A throttled answer need not be JSON, and its wait may be a date.
func ExampleParseRetryAfter() {
	header := http.Header{}
	header.Set("Date", "Fri, 02 Jan 2026 03:04:05 GMT")
	header.Set("Retry-After", "Fri, 02 Jan 2026 03:05:35 GMT")

	fmt.Println(oautherr.ParseRetryAfter(header, time.Unix(0, 0)))
	// Output: 1m30s true
}
