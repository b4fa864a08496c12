// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"encoding/json"
	"io"
	"log"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
)

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

func TestAStoredErrorIsRestoredUnchanged(t *testing.T) {
	full := &oautherr.Error{
		Class: oautherr.Throttled, Reason: oautherr.ReasonThrottled, Code: "invalid_client", Description: "no",
		Codes: []int64{7000215}, Suberror: "bad_token", Claims: `{"a":1}`, ErrorURI: "https://sts.example.com/e",
		CorrelationID: "c-1", TraceID: "t-1", Timestamp: "2026-01-02 03:04:05Z", Detail: "the body is empty",
		HTTPStatus: 429, RetryAfter: time.Minute, Propagating: true,
	}
	stored, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"class":"Throttled","reason":"Throttled","code":"invalid_client","description":"no","codes":[7000215],` +
		`"suberror":"bad_token","claims":"{\"a\":1}","errorURI":"https://sts.example.com/e","correlationID":"c-1","traceID":"t-1",` +
		`"timestamp":"2026-01-02 03:04:05Z","detail":"the body is empty","httpStatus":429,"propagating":true,"retryAfter":"60s"}`
	if string(stored) != want {
		t.Errorf("stored form changed, which breaks a running operator's state:\n got %s\nwant %s", stored, want)
	}
	var restored oautherr.Error
	if err := json.Unmarshal(stored, &restored); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, &restored); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
}

func TestAStoredErrorOfAnotherHandIsBounded(t *testing.T) {
	const stored = `{"class":"Fancy","reason":"Novel","code":"a\u0000b","codes":[-1,7],"traceID":"a b","httpStatus":-5,"retryAfter":"2500h"}`
	var got oautherr.Error
	if err := json.Unmarshal([]byte(stored), &got); err != nil {
		t.Fatal(err)
	}
	want := oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonUnknownError, Code: "ab", Codes: []int64{7}, RetryAfter: time.Hour}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
}

func TestAStoredErrorThatIsNoneIsRefused(t *testing.T) {
	var got oautherr.Error
	if err := json.Unmarshal([]byte(`{"httpStatus":"x"}`), &got); err == nil {
		t.Error("Unmarshal accepted a status that is a string")
	}
}

func TestReadingAnAnswerLeavesTheErrorThatEndedItAlone(t *testing.T) {
	ended := oautherr.Refused(oautherr.ReasonEndpointRefused, "the address is a loopback address")
	got := oautherr.FromResponse(oautherr.Response{Status: 200, ReadErr: ended}, arrival)
	if got.HTTPStatus != 200 || ended.HTTPStatus != 0 {
		t.Errorf("statuses = %d and %d, want 200 in the answer's Error and 0 in the other", got.HTTPStatus, ended.HTTPStatus)
	}
}

func TestReasonsAreDistinctAndComplete(t *testing.T) {
	seen := map[oautherr.Reason]bool{}
	for _, reason := range oautherr.Reasons() {
		if seen[reason] || reason == "" {
			t.Errorf("reason %q is listed twice or empty", reason)
		}
		seen[reason] = true
	}
	for _, entry := range oautherr.Catalogue() {
		if entry.Reason != "" && !seen[entry.Reason] {
			t.Errorf("%s has the reason %s, which Reasons lacks", entry.Code, entry.Reason)
		}
	}
	oautherr.Reasons()[0] = "overwritten"
	if oautherr.Reasons()[0] == "overwritten" {
		t.Error("Reasons hands out its own slice")
	}
}
