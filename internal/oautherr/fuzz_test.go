// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
)

// limits are the bounds of the API's schema.
var limits = map[string]int{
	"Class": 32, "Reason": 64, "Code": 128, "Description": 512, "Suberror": 64, "Claims": 4096, "ErrorURI": 512,
	"CorrelationID": 64, "TraceID": 64, "Timestamp": 64, "Detail": 256,
}

func FuzzFromResponse(f *testing.F) {
	f.Add(200, []byte(`{"access_token":"t"}`), "", "", false)
	f.Add(401, []byte(`{"error":"invalid_client","error_codes":[7000215,"x"],"error_description":"AADSTS7000215: no\r\nTrace ID: 11111111-a"}`), "", "User", false)
	f.Add(400, []byte(`{"error":"invalid_grant","claims":"{}","suberror":"basic_action","error_uri":"https://a/b"}`), "5", "Assertion", false)
	f.Add(429, []byte("Too Many Requests"), "60", "", false)
	f.Add(503, []byte{0xff, 0xfe, 0}, "Fri, 31 Dec 9999 23:59:59 GMT", "", true)
	f.Add(200, []byte("\xef\xbb\xbf{\"error\":{\"a\":[]},\"error\":null}"), "-1", "", false)
	f.Add(302, []byte(`{"error_description":"eyJhbGciOiJub25lIn0.eyJhIjoxfQ. \u202e Timestamp: 2026-01-02 03:04:05Z"}`), "x", "", false)
	f.Fuzz(func(t *testing.T, status int, body []byte, after, grant string, truncated bool) {
		response := oautherr.Response{Status: status, Body: body, Header: http.Header{"Retry-After": {after}}, Truncated: truncated, Grant: oautherr.Grant(grant)}
		e := oautherr.FromResponse(response, arrival)
		if e == nil {
			checkUsable(t, response)
			return
		}
		checkBounds(t, e)
		checkTexts(t, e)
		checkStored(t, e)
		if again := oautherr.FromResponse(response, arrival); !reflect.DeepEqual(e, again) {
			t.Fatalf("two readings of one answer differ:\n%s", cmp.Diff(e, again))
		}
	})
}

// checkUsable proves that what passed for no error is a 2xx with a JSON object.
func checkUsable(t *testing.T, r oautherr.Response) {
	t.Helper()
	var object map[string]json.RawMessage
	plain := bytes.TrimPrefix(r.Body, []byte("\xef\xbb\xbf"))
	if r.Status < 200 || r.Status > 299 || r.Truncated || json.Unmarshal(plain, &object) != nil || object == nil {
		t.Fatalf("HTTP %d with %q passes for a token answer", r.Status, r.Body)
	}
}

func checkTexts(t *testing.T, e *oautherr.Error) {
	t.Helper()
	if e.Error() == "" || e.Canceled() || len(e.Message(oautherr.Subject{})) > 2048 || len(e.Remedy(subject)) > 1024 {
		t.Fatalf("unusable texts: %q, %q", e.Error(), e.Message(oautherr.Subject{}))
	}
}

// checkStored proves that neither storing nor redacting again changes e.
func checkStored(t *testing.T, e *oautherr.Error) {
	t.Helper()
	stored, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var restored oautherr.Error
	if err := json.Unmarshal(stored, &restored); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, &restored); diff != "" || restored.Kind() != e.Kind() {
		t.Fatalf("restored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(e, e.Redact()); diff != "" {
		t.Fatalf("redacting again changes (-want +got):\n%s", diff)
	}
}

func checkBounds(t *testing.T, e *oautherr.Error) {
	t.Helper()
	value := reflect.ValueOf(*e)
	for i := range value.NumField() {
		if field, name := value.Field(i), value.Type().Field(i).Name; field.Kind() == reflect.String {
			checkText(t, name, field.String())
		}
	}
	if !slices.Contains(oautherr.Reasons(), e.Reason) || e.Class == "" || e.HTTPStatus < 0 || len(e.Codes) > 8 {
		t.Fatalf("verdict or numbers out of bounds: %#v", e)
	}
	if e.RetryAfter < 0 || e.RetryAfter > time.Hour || e.RetryAfter%time.Second != 0 {
		t.Fatalf("RetryAfter = %v", e.RetryAfter)
	}
}

func checkText(t *testing.T, name, text string) {
	t.Helper()
	unprintable := strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) })
	if unprintable || !utf8.ValidString(text) || len(text) > limits[name] {
		t.Fatalf("%s = %q is out of its bounds", name, text)
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, value := range []string{"", "0", "7", " 12 ", "-1", "1.5", "99999999999999999999", "Fri, 02 Jan 2026 03:04:35 GMT", "Friday, 02-Jan-26 03:04:35 GMT"} {
		f.Add(value, "Fri, 02 Jan 2026 03:04:05 GMT", int64(0))
		f.Add(value, "", int64(1<<62))
	}
	f.Fuzz(func(t *testing.T, value, date string, nanos int64) {
		header := http.Header{"Retry-After": {value}, "Date": {date}}
		wait, ok := oautherr.ParseRetryAfter(header, time.Unix(0, nanos))
		if ok != (wait > 0) || wait < 0 || wait > oautherr.MaxRetryAfter || wait%time.Second != 0 {
			t.Fatalf("ParseRetryAfter(%q, %q) = %v, %v", value, date, wait, ok)
		}
	})
}
