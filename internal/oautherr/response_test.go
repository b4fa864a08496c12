// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
)

var arrival = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func retryAfter(value string) http.Header { return http.Header{"Retry-After": {value}} }

// TestFromResponse holds a row for each transport outcome of the table in the
// design documents, and compares whole Errors: a field that a server fills and
// no row expects fails the test.
func TestFromResponse(t *testing.T) {
	tests := map[string]struct {
		response oautherr.Response
		want     *oautherr.Error
	}{
		"a token is no error": {
			oautherr.Response{Status: 200, Body: []byte(`{"access_token":"t","token_type":"Bearer","expires_in":3600}`)},
			nil,
		},
		"an empty object with 200 is left to the token parser": {
			oautherr.Response{Status: 200, Body: []byte(` {} `)},
			nil,
		},
		"a token behind a byte order mark is no error": {
			oautherr.Response{Status: 200, Body: []byte("\xef\xbb\xbf{\"access_token\":\"t\"}")},
			nil,
		},
		"a token beside a null error is no error": {
			oautherr.Response{Status: 200, Body: []byte(`{"access_token":"t","error":null}`)},
			nil,
		},
		"a token beside an empty error is no error": {
			oautherr.Response{Status: 200, Body: []byte(`{"access_token":"t","error":""}`)},
			nil,
		},
		"a member that differs from error in case is not one": {
			oautherr.Response{Status: 200, Body: []byte(`{"access_token":"t","Error":"invalid_client"}`)},
			nil,
		},
		"a token with Retry-After is no error": {
			oautherr.Response{Status: 200, Header: retryAfter("60"), Body: []byte(`{"access_token":"t"}`)},
			nil,
		},
		"400 with JSON is the OAuth error": {
			oautherr.Response{Status: 400, Body: []byte(`{"error":"invalid_scope","error_description":"no such scope"}`)},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope",
				Description: "no such scope", HTTPStatus: 400},
		},
		"an OAuth error with 200 is one": {
			oautherr.Response{Status: 200, Body: []byte(`{"error":"bad_verification_code","error_uri":"https://docs.example.com/x"}`)},
			&oautherr.Error{Class: oautherr.InteractionRequired, Reason: oautherr.ReasonBadVerificationCode,
				Code: "bad_verification_code", ErrorURI: "https://docs.example.com/x", HTTPStatus: 200},
		},
		"429 in plain text is throttling": {
			oautherr.Response{Status: 429, Header: retryAfter("60"), Body: []byte("Too Many Requests")},
			&oautherr.Error{Class: oautherr.Throttled, Reason: oautherr.ReasonThrottled, HTTPStatus: 429,
				RetryAfter: time.Minute},
		},
		"429 is throttling whatever its error says": {
			oautherr.Response{Status: 429, Body: []byte(`{"error":"invalid_client"}`)},
			&oautherr.Error{Class: oautherr.Throttled, Reason: oautherr.ReasonThrottled, Code: "invalid_client", HTTPStatus: 429},
		},
		"429 is throttling even when its body breaks off": {
			oautherr.Response{Status: 429, ReadErr: io.ErrUnexpectedEOF, Body: []byte("Too Ma")},
			&oautherr.Error{Class: oautherr.Throttled, Reason: oautherr.ReasonThrottled, HTTPStatus: 429},
		},
		"404 with an empty body means a wrong address": {
			oautherr.Response{Status: 404},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 404, Detail: "the body is empty"},
		},
		"404 with a gateway's JSON means a wrong address": {
			oautherr.Response{Status: 404, Body: []byte(`{"message":"no Route matched"}`)},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 404, Detail: "the body has no OAuth error"},
		},
		"403 with a firewall's page is not an OAuth refusal": {
			oautherr.Response{Status: 403, Body: []byte("<html>blocked</html>")},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 403, Detail: "the body is not one JSON object"},
		},
		"500 without JSON is a server error": {
			oautherr.Response{Status: 500, Body: []byte("boom")},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonServerError, HTTPStatus: 500, Detail: "the body is not one JSON object"},
		},
		"503 with JSON keeps the error and its ids": {
			oautherr.Response{Status: 503, Body: []byte(`{"error":"temporarily_unavailable","correlation_id":"c-1","trace_id":"t-1","timestamp":"2026-01-02 03:04:05Z"}`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonTemporarilyUnavailable, Code: "temporarily_unavailable",
				HTTPStatus: 503, CorrelationID: "c-1", TraceID: "t-1", Timestamp: "2026-01-02 03:04:05Z"},
		},
		"500 with a definite refusal is that refusal": {
			oautherr.Response{Status: 500, Body: []byte(`{"error":"invalid_client"}`)},
			&oautherr.Error{Class: oautherr.Credential, Reason: oautherr.ReasonInvalidClient, Code: "invalid_client", HTTPStatus: 500},
		},
		"503 with Retry-After asks to wait": {
			oautherr.Response{Status: 503, Header: retryAfter("7")},
			&oautherr.Error{Class: oautherr.Throttled, Reason: oautherr.ReasonThrottled, HTTPStatus: 503, RetryAfter: 7 * time.Second},
		},
		"401 with Retry-After stays the refusal that it is": {
			oautherr.Response{Status: 401, Header: retryAfter("7"), Body: []byte(`{"error":"invalid_client"}`)},
			&oautherr.Error{Class: oautherr.Credential, Reason: oautherr.ReasonInvalidClient, Code: "invalid_client", HTTPStatus: 401, RetryAfter: 7 * time.Second},
		},
		"200 with HTML is malformed": {
			oautherr.Response{Status: 200, Body: []byte("<html>sign in</html>")},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "the body is not one JSON object"},
		},
		"200 with a list is malformed": {
			oautherr.Response{Status: 200, Body: []byte(`[{"access_token":"t"}]`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "the body is not one JSON object"},
		},
		"200 with null is malformed": {
			oautherr.Response{Status: 200, Body: []byte(`null`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "the body is not one JSON object"},
		},
		"200 with a string is malformed": {
			oautherr.Response{Status: 200, Body: []byte(`"token"`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "the body is not one JSON object"},
		},
		"200 with two objects is malformed": {
			oautherr.Response{Status: 200, Body: []byte(`{"access_token":"t"}{"access_token":"u"}`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "the body is not one JSON object"},
		},
		"204 without a body is malformed": {
			oautherr.Response{Status: 204},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 204, Detail: "the body is empty"},
		},
		"200 with JSON in UTF-16 is malformed": {
			oautherr.Response{Status: 200, Body: []byte("\xff\xfe{\x00}\x00")},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "the body is not one JSON object"},
		},
		"200 with half an object is malformed": {
			oautherr.Response{Status: 200, Body: []byte(`{"access_token":"t","expires_in":`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "the body is not one JSON object"},
		},
		"200 with an object that nobody closed is malformed": {
			oautherr.Response{Status: 200, Body: []byte(`{"access_token":"t"`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "the body is not one JSON object"},
		},
		"a body nested beyond the parser is malformed": {
			oautherr.Response{Status: 200, Body: []byte(`{"a":` + strings.Repeat("[", 20000))},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "the body is not one JSON object"},
		},
		"a body over the cap is malformed though what is left parses": {
			oautherr.Response{Status: 200, Truncated: true, Body: []byte(`{"access_token":"t"}`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "the body is larger than the operator accepts"},
		},
		"a token answer that breaks off is a broken connection": {
			oautherr.Response{Status: 200, ReadErr: io.ErrUnexpectedEOF, Body: []byte(`{"access_token":"t"}`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonConnectionFailed, HTTPStatus: 200, Detail: "it closed the connection too early"},
		},
		"a refusal that breaks off is a broken connection that keeps Retry-After": {
			oautherr.Response{Status: 400, Header: retryAfter("5"), ReadErr: os.ErrDeadlineExceeded, Body: []byte(`{"error":"inv`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonConnectionFailed, HTTPStatus: 400, Detail: "it did not answer in time", RetryAfter: 5 * time.Second},
		},
		"a refusal that was read whole stands though the connection broke": {
			oautherr.Response{Status: 400, ReadErr: io.ErrUnexpectedEOF, Body: []byte(`{"error":"invalid_scope"}`)},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope", HTTPStatus: 400},
		},
		"a redirect is refused and its target is not shown": {
			oautherr.Response{Status: 302, Header: http.Header{"Location": {"https://evil.example.com/?code=canary"}}, Body: []byte("<a href=x>Found</a>")},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonRedirectRefused, HTTPStatus: 302, Detail: "the body is not one JSON object"},
		},
		"a redirect with Retry-After is still a redirect": {
			oautherr.Response{Status: 307, Header: retryAfter("9")},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonRedirectRefused, HTTPStatus: 307, Detail: "the body is empty", RetryAfter: 9 * time.Second},
		},
		"a status below 200 is malformed": {
			oautherr.Response{Status: 101},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 101, Detail: "the body is empty"},
		},
		"a status above 599 is malformed": {
			oautherr.Response{Status: 600, Body: []byte(`{}`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 600, Detail: "the body has no OAuth error"},
		},
		"a status out of all range is bounded": {
			oautherr.Response{Status: 123456},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 999, Detail: "the body is empty"},
		},
		"408 is a server that was too slow": {
			oautherr.Response{Status: 408},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonServerError, HTTPStatus: 408, Detail: "the body is empty"},
		},
		"an error that is a number is malformed": {
			oautherr.Response{Status: 200, Body: []byte(`{"error":7,"access_token":"t"}`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: `the "error" in the body is no OAuth error code`},
		},
		"an error that is an object is malformed": {
			oautherr.Response{Status: 400, Body: []byte(`{"error":{"error":"invalid_client","message":"canary"}}`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 400, Detail: `the "error" in the body is no OAuth error code`},
		},
		"an OAuth error inside a list is malformed": {
			oautherr.Response{Status: 400, Body: []byte(`[{"error":"invalid_client"}]`)},
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 400, Detail: "the body is not one JSON object"},
		},
		"the first of two errors counts": {
			oautherr.Response{Status: 400, Body: []byte(`{"error":"invalid_scope","error":"invalid_client"}`)},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope", HTTPStatus: 400},
		},
		"a null does not hide the error that follows it": {
			oautherr.Response{Status: 200, Body: []byte(`{"error":null,"access_token":"t","error":"invalid_scope"}`)},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope", HTTPStatus: 200},
		},
		"text in a wrong charset loses what is not UTF-8": {
			oautherr.Response{Status: 400, Header: http.Header{"Content-Type": {"application/json; charset=iso-8859-1"}},
				Body: []byte("{\"error\":\"invalid_scope\",\"error_description\":\"port\xe9e inconnue\"}")},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope", Description: "porte inconnue", HTTPStatus: 400},
		},
		"numbers of any form are read and what is none is left out": {
			oautherr.Response{Status: 401, Body: []byte(`{"error":"invalid_client","error_codes":[7000215,"50012",1e400,99999999999999999999,-3,0,1.5,"x",null,{},7000215]}`)},
			&oautherr.Error{Class: oautherr.Credential, Reason: oautherr.ReasonInvalidClient, Code: "invalid_client",
				Codes: []int64{7000215, 50012}, HTTPStatus: 401, Propagating: true},
		},
		"a lone number is read": {
			oautherr.Response{Status: 401, Body: []byte(`{"error":"invalid_client","error_codes":"7000222"}`)},
			&oautherr.Error{Class: oautherr.Credential, Reason: oautherr.ReasonInvalidClient, Code: "invalid_client", Codes: []int64{7000222}, HTTPStatus: 401},
		},
		"no more than eight numbers are kept": {
			oautherr.Response{Status: 400, Body: []byte(`{"error":"invalid_request","error_codes":[1,2,3,4,5,6,7,8,9]}`)},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidRequest, Code: "invalid_request",
				Codes: []int64{1, 2, 3, 4, 5, 6, 7, 8}, HTTPStatus: 400},
		},
		"members of unexpected types are left out": {
			oautherr.Response{Status: 400, Body: []byte(`{"error":"invalid_request","error_description":["x"],"suberror":1,"claims":{"a":1},"error_uri":false,"error_codes":{}}`)},
			&oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidRequest, Code: "invalid_request", HTTPStatus: 400},
		},
		"Entra's ids come from the header when the body has none": {
			oautherr.Response{Status: 429, Body: []byte("Too Many Requests"),
				Header: http.Header{"Client-Request-Id": {"c-1"}, "X-Ms-Request-Id": {"t-1"}}},
			&oautherr.Error{Class: oautherr.Throttled, Reason: oautherr.ReasonThrottled, HTTPStatus: 429,
				CorrelationID: "c-1", TraceID: "t-1"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := oautherr.FromResponse(test.response, arrival)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("FromResponse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnAnswerThatTheCallerGaveUpReadingIsCanceled(t *testing.T) {
	for _, status := range []int{200, 400} {
		got := oautherr.FromResponse(oautherr.Response{Status: status, ReadErr: context.Canceled}, arrival)
		if !got.Canceled() || got.Kind() != oautherr.KindNone {
			t.Errorf("HTTP %d: Canceled() = %v, Kind() = %q; want true and none", status, got.Canceled(), got.Kind())
		}
	}
}

// TestHostileMembers gives each whitelisted member what a schema or a terminal
// would choke on.
func TestHostileMembers(t *testing.T) {
	long := strings.Repeat("é", 9000)
	tests := map[string]struct {
		body string
		want oautherr.Error
	}{
		"control and format characters are stripped": {
			`{"error":"invalid_\u0000scope\u001b[31m","error_description":"a\u0007b\u202ec\td"}`,
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonUnknownError, Code: "invalid_scope[31m", Description: "abc d"},
		},
		"a code is cut between runes": {
			`{"error":"` + long + `"}`,
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonUnknownError, Code: strings.Repeat("é", 62) + "…"},
		},
		"a description is cut between runes": {
			`{"error":"invalid_scope","error_description":"x` + long + `"}`,
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope", Description: "x" + strings.Repeat("é", 254) + "…"},
		},
		"identifiers of other characters or lengths are dropped": {
			`{"error":"invalid_scope","correlation_id":"a b","trace_id":"` + strings.Repeat("a", 65) + `","timestamp":"now","suberror":"<b>"}`,
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope"},
		},
		"a claims challenge is kept without white space": {
			`{"error":"interaction_required","claims":"{\"access_token\":\n {\"x\":1}}"}`,
			oautherr.Error{Class: oautherr.InteractionRequired, Reason: oautherr.ReasonInteractionRequired, Code: "interaction_required", Claims: `{"access_token":{"x":1}}`},
		},
		"a claims challenge that is no object is dropped": {
			`{"error":"interaction_required","claims":"[1]"}`,
			oautherr.Error{Class: oautherr.InteractionRequired, Reason: oautherr.ReasonInteractionRequired, Code: "interaction_required"},
		},
		"a claims challenge with a format character is dropped": {
			`{"error":"interaction_required","claims":"{\"a\":\"\u202e\"}"}`,
			oautherr.Error{Class: oautherr.InteractionRequired, Reason: oautherr.ReasonInteractionRequired, Code: "interaction_required"},
		},
		"a claims challenge that is too long is dropped": {
			`{"error":"interaction_required","claims":"{\"a\":\"` + strings.Repeat("b", 4096) + `\"}"}`,
			oautherr.Error{Class: oautherr.InteractionRequired, Reason: oautherr.ReasonInteractionRequired, Code: "interaction_required"},
		},
		"a script is no error_uri": {
			`{"error":"invalid_scope","error_uri":"javascript:alert(1)"}`,
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope"},
		},
		"a URL of another scheme is no error_uri": {
			`{"error":"invalid_scope","error_uri":"ftp://sts.example.com/x"}`,
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope"},
		},
		"a URL with a password is no error_uri": {
			`{"error":"invalid_scope","error_uri":"https://a:b@sts.example.com/x"}`,
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope"},
		},
		"an error of nothing but control characters is none": {
			`{"error":"\u0001"}`,
			oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, Detail: `the "error" in the body is no OAuth error code`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.want.HTTPStatus = 400
			got := oautherr.FromResponse(oautherr.Response{Status: 400, Body: []byte(test.body)}, arrival)
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("FromResponse (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDescriptions holds what Entra appends to its texts in its several forms.
func TestDescriptions(t *testing.T) {
	const clean = "AADSTS7000215: Invalid client secret provided."
	trailed := oautherr.Error{Description: clean, Codes: []int64{7000215},
		TraceID: "11111111-aaaa", CorrelationID: "22222222-bbbb", Timestamp: "2026-01-02 03:04:05Z"}
	tests := map[string]struct {
		members string
		want    oautherr.Error
	}{
		"the ids on lines of their own": {
			`"error_description":"` + clean + `\r\nTrace ID: 11111111-aaaa\r\nCorrelation ID: 22222222-bbbb\r\nTimestamp: 2026-01-02 03:04:05Z"`,
			trailed,
		},
		"the ids on the same line": {
			`"error_description":"` + clean + ` Trace ID: 11111111-aaaa Correlation ID: 22222222-bbbb Timestamp: 2026-01-02 03:04:05Z"`,
			trailed,
		},
		"members of their own count before the text": {
			`"trace_id":"t","correlation_id":"c","timestamp":"2026-01-01 00:00:00Z","error_codes":[700016],
			 "error_description":"` + clean + `\nTrace ID: 11111111-aaaa\nCorrelation ID: 22222222-bbbb\nTimestamp: 2026-01-02 03:04:05Z"`,
			oautherr.Error{Description: clean, Codes: []int64{700016}, TraceID: "t", CorrelationID: "c", Timestamp: "2026-01-01 00:00:00Z"},
		},
		"an empty first line is passed over": {
			`"error_description":"\r\n ` + clean + `\u2028second"`,
			oautherr.Error{Description: clean, Codes: []int64{7000215}},
		},
		"nothing but ids is no description": {
			`"error_description":"Correlation ID: 22222222-bbbb"`,
			oautherr.Error{CorrelationID: "22222222-bbbb"},
		},
		"instants within the text are taken out": {
			`"error_description":"AADSTS700024: Client assertion is not within its valid time range. Current time: 2026-01-02T03:04:05.1234567Z, expiry 2026-01-02 02:04:05 UTC, or 1/2/2026 3:04:05 AM."`,
			oautherr.Error{Description: "AADSTS700024: Client assertion is not within its valid time range. Current time: [time], expiry [time], or [time].", Codes: []int64{700024}},
		},
		"a number of eleven digits is not one": {
			`"error_description":"AADSTS70002151234: x"`,
			oautherr.Error{Description: "AADSTS70002151234: x"},
		},
		"a JWT that is echoed is redacted before it is cut": {
			`"error_description":"bad assertion eyJhbGciOiJub25lIn0.` + strings.Repeat("A", 600) + `.c2ln sent"`,
			oautherr.Error{Description: "bad assertion [redacted] sent"},
		},
		"what the body itself calls a token is redacted": {
			`"access_token":"canary-token","refresh_token":"canary-refresh","error_description":"issued canary-token and canary-refresh"`,
			oautherr.Error{Description: "issued [redacted] and [redacted]"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			body := `{"error":"unsupported_grant_type",` + test.members + `}`
			got := oautherr.FromResponse(oautherr.Response{Status: 400, Body: []byte(body)}, arrival)
			test.want.Class, test.want.Reason = oautherr.Configuration, oautherr.ReasonUnsupportedGrantType
			test.want.Code, test.want.HTTPStatus = "unsupported_grant_type", 400
			test.want.Propagating = got.Propagating // of the number: TestPropagation
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("FromResponse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMalformedAndRefusedSayWhyInOurWords(t *testing.T) {
	malformed := oautherr.Malformed("it has no access_token")
	want := &oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, HTTPStatus: 200, Detail: "it has no access_token"}
	if diff := cmp.Diff(want, malformed); diff != "" {
		t.Errorf("Malformed (-want +got):\n%s", diff)
	}
	refused := oautherr.Refused(oautherr.ReasonEndpointRefused, strings.Repeat("a loopback address\n", 100))
	if refused.Class != oautherr.Configuration || !refused.Permanent() || len(refused.Detail) > 256 || strings.Contains(refused.Detail, "\n") {
		t.Errorf("Refused = %#v; want a permanent configuration error of bounded detail", refused)
	}
}

func TestErrorIsAnError(t *testing.T) {
	var err error = &oautherr.Error{Reason: oautherr.ReasonInvalidClient, Code: "invalid_client", Description: "canary",
		HTTPStatus: 401, Codes: []int64{7000215}, CorrelationID: "c-1", TraceID: "t-1"}
	const want = "InvalidClient: invalid_client (HTTP 401, AADSTS7000215, correlation id c-1)"
	if got := err.Error(); got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got, want := oautherr.FromTransport(errors.New("canary")).Error(), "ConnectionFailed: the connection failed"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
