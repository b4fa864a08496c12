// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/test/stssim"
)

// plainTextThrottle is Entra's 429 for client credentials.
var plainTextThrottle = stssim.Action{Status: 429, Body: "Too Many Requests", ContentType: "text/plain", RetryAfter: "30"}

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func TestFaultReplacesTheAnswer(t *testing.T) {
	tests := []struct {
		name   string
		path   string
		form   url.Values
		action stssim.Action
		status int
		body   string
		header map[string]string
	}{
		{
			name: "429 in plain text with Retry-After in seconds", form: demoForm(), action: plainTextThrottle,
			status: 429, body: "Too Many Requests",
			header: map[string]string{"Content-Type": "text/plain", "Retry-After": "30"},
		},
		{
			name: "a status alone has an empty body", form: demoForm(), action: stssim.Action{Status: 503},
			status: 503, body: "",
		},
		{
			name: "an HTTP-date in Retry-After is rounded up", form: demoForm(),
			action: stssim.Action{Status: 503, RetryAfterDate: stssim.Duration(30 * time.Second)},
			status: 503, header: map[string]string{"Retry-After": "Sun, 01 Mar 2026 12:00:31 GMT", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"},
		},
		{
			name: "nonsense in Retry-After", form: demoForm(), action: stssim.Action{Status: 503, RetryAfter: "soon; -1e9"},
			status: 503, header: map[string]string{"Retry-After": "soon; -1e9"},
		},
		{
			name: "an Entra error in full", form: demoForm(),
			action: stssim.Action{Error: &stssim.ErrorBody{
				Error: "interaction_required", Description: "AADSTS50076: MFA.", Codes: []int{50076, 50079},
				Suberror: "basic_action", Claims: `{"access_token":{}}`,
			}},
			status: 400,
			body: `{"error":"interaction_required","error_description":"AADSTS50076: MFA.` + trailer +
				`,"error_codes":[50076,50079],"timestamp":"2026-03-01 12:00:00Z",` +
				`"trace_id":"57551111-0000-4000-8000-000000000001","correlation_id":"57552222-0000-4000-8000-000000000001",` +
				`"error_uri":"https://login.microsoftonline.com/error?code=50076","suberror":"basic_action","claims":"{\"access_token\":{}}"}`,
		},
		{
			name: "an Entra error that says nothing", form: demoForm(), action: stssim.Action{Status: 500, Error: &stssim.ErrorBody{Error: "server_error"}},
			status: 500,
			body: `{"error":"server_error","error_description":"` + strings.TrimSpace(trailer) +
				`,"error_codes":[],"timestamp":"2026-03-01 12:00:00Z",` +
				`"trace_id":"57551111-0000-4000-8000-000000000001","correlation_id":"57552222-0000-4000-8000-000000000001"}`,
		},
		{
			name: "the same error in plain shape", path: plainToken, form: acmeForm(),
			action: stssim.Action{Status: 403, Error: &stssim.ErrorBody{Error: "access_denied", Description: "no", Codes: []int{1}, Suberror: "x"}},
			status: 403, body: `{"error":"access_denied","error_description":"no"}`,
		},
		{
			name: "the request comes back, secret included", path: plainToken,
			form:   url.Values{"client_secret": {"s3cret"}},
			action: stssim.Action{Error: &stssim.ErrorBody{Description: "debug.", Echo: true}},
			status: 400, body: `{"error":"invalid_request","error_description":"debug. Request: client_secret=s3cret"}`,
		},
		{
			name: "an HTML page with 200", form: demoForm(), action: stssim.Action{Body: "<html>", ContentType: "text/html"},
			status: 200, body: "<html>", header: map[string]string{"Content-Type": "text/html"},
		},
		{name: "an empty object", form: demoForm(), action: stssim.Action{Body: "{}"}, status: 200, body: "{}"},
		{name: "a list", form: demoForm(), action: stssim.Action{Body: "[]", Drop: []string{"error"}}, status: 200, body: "[]"},
		{name: "null", form: demoForm(), action: stssim.Action{Body: "null", Drop: []string{"error"}}, status: 200, body: "null"},
		{
			name: "a redirect", form: demoForm(),
			action: stssim.Action{Status: 302, Headers: map[string]string{"Location": "https://elsewhere.example/"}},
			status: 302, header: map[string]string{"Location": "https://elsewhere.example/"},
		},
		{
			name: "a path that isn't served can be scripted", path: "/elsewhere", form: demoForm(),
			action: stssim.Action{Status: 418, Body: "short and stout"}, status: 418, body: "short and stout",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{Rules: []stssim.Rule{{Action: test.action}}})
			path := test.path
			if path == "" {
				path = entraToken
			}
			got := sim.post(path, test.form)
			if diff := cmp.Diff(test.body, got.body); diff != "" || got.status != test.status {
				t.Errorf("status %d, want %d, body (-want +got):\n%s", got.status, test.status, diff)
			}
			for name, value := range test.header {
				if found := got.header.Get(name); found != value {
					t.Errorf("%s is %q, want %q", name, found, value)
				}
			}
		})
	}
}

func TestFaultChangesTheToken(t *testing.T) {
	tests := []struct {
		name   string
		action stssim.Action
		want   map[string]string // "" is absent
	}{
		{"expires_in as text", stssim.Action{Set: map[string]json.RawMessage{"expires_in": raw(`"3599"`)}}, map[string]string{"expires_in": `"3599"`}},
		{"expires_in negative", stssim.Action{Set: map[string]json.RawMessage{"expires_in": raw("-1")}}, map[string]string{"expires_in": "-1"}},
		{"expires_in beyond any number", stssim.Action{Set: map[string]json.RawMessage{"expires_in": raw("1e400")}}, map[string]string{"expires_in": "1e400"}},
		{"expires_in with a fraction", stssim.Action{Set: map[string]json.RawMessage{"expires_in": raw("3599.5")}}, map[string]string{"expires_in": "3599.5"}},
		{"expires_in missing", stssim.Action{Drop: []string{"expires_in"}}, map[string]string{"expires_in": ""}},
		{"token_type missing", stssim.Action{Drop: []string{"token_type"}}, map[string]string{"token_type": "", "expires_in": "3599"}},
		{"refresh_in added", stssim.Action{Set: map[string]json.RawMessage{"refresh_in": raw("1800")}}, map[string]string{"refresh_in": "1800"}},
		{"a token that has expired", stssim.Action{Lifetime: stssim.Duration(-time.Minute)}, map[string]string{"expires_in": "-60"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{Rules: []stssim.Rule{{Action: test.action}}})
			got := sim.post(entraToken, demoForm())
			for name, value := range test.want {
				if found := member(t, got.body, name); found != value {
					t.Errorf("%s is %s, want %s", name, found, value)
				}
			}
			if token := member(t, got.body, "access_token"); token != `"`+sim.Issued()[0]+`"` {
				t.Errorf("access_token is %s, issued was %q", token, sim.Issued())
			}
		})
	}
}

func TestFaultLeavesTheChecksAlone(t *testing.T) {
	sim := start(t, stssim.Options{Rules: []stssim.Rule{{Action: stssim.Action{RetryAfter: "5"}}}})
	got := sim.post(entraToken, demoForm(url.Values{"client_secret": {"wrong"}}))
	if got.status != 401 || got.header.Get("Retry-After") != "5" {
		t.Errorf("status %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	if got = sim.post(entraToken, demoForm()); got.status != 200 || got.header.Get("Retry-After") != "5" {
		t.Errorf("status %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
}

func TestFaultWrongCharset(t *testing.T) {
	const charset = "application/json; charset=utf-16"
	sim := start(t, stssim.Options{Rules: []stssim.Rule{{Action: stssim.Action{ContentType: charset}}}})
	got := sim.post(entraToken, demoForm())
	if got.header.Get("Content-Type") != charset || !json.Valid([]byte(got.body)) {
		t.Errorf("content type %q, body %q", got.header.Get("Content-Type"), got.body)
	}
}

func TestFaultTruncatedBody(t *testing.T) {
	sim := start(t, stssim.Options{Rules: []stssim.Rule{{Action: stssim.Action{Truncate: true}}}})
	answer, err := sim.http.Do(sim.request(http.MethodPost, entraToken, demoForm()))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading ended with %v, want an unexpected EOF", err)
	}
	if int64(len(body)) >= answer.ContentLength || len(body) == 0 {
		t.Errorf("%d bytes of %d were sent", len(body), answer.ContentLength)
	}
}

func TestFaultOversizeBody(t *testing.T) {
	const padding = 3<<20 + 1
	sim := start(t, stssim.Options{Rules: []stssim.Rule{{Action: stssim.Action{Padding: padding}}}})
	body := sim.post(entraToken, demoForm()).body
	if strings.Trim(body[:padding], " ") != "" || body[padding] != '{' || !json.Valid([]byte(body)) {
		t.Errorf("the body of %d bytes is no JSON after %d spaces", len(body), padding)
	}
}

func TestFaultGzip(t *testing.T) {
	sim := start(t, stssim.Options{Rules: []stssim.Rule{{Action: stssim.Action{Gzip: true}}}})
	request := sim.request(http.MethodPost, entraToken, demoForm())
	// Asking for another encoding, the client leaves decompression to its caller.
	request.Header.Set("Accept-Encoding", "identity")
	got := sim.do(request)
	reader, err := gzip.NewReader(strings.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(reader)
	if err != nil || !json.Valid(body) || got.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("encoding %q, body %q, error %v", got.header.Get("Content-Encoding"), body, err)
	}
}

func TestFaultReset(t *testing.T) {
	sim := start(t, stssim.Options{Rules: []stssim.Rule{{Times: 1, Action: stssim.Action{Reset: true}}}})
	if _, err := sim.try(sim.request(http.MethodPost, entraToken, demoForm())); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the error is %v, want a connection reset", err)
	}
	calls := sim.Calls(stssim.Filter{})
	if len(calls) != 1 || !calls[0].Finished || calls[0].Status != 0 {
		t.Errorf("logged %+v, want one call that ended without a status", calls)
	}
	if got := sim.post(entraToken, demoForm()); got.status != 200 {
		t.Errorf("the next call has status %d", got.status)
	}
}

func TestCloseConnections(t *testing.T) {
	sim := start(t, stssim.Options{})
	// The first call leaves a connection behind that could be used again.
	sim.post(entraToken, demoForm())
	sim.CloseConnections(2)
	for range 2 {
		// A new client has no idle connection, and so can't try again by itself.
		sim.http = sim.HTTPClient()
		if _, err := sim.try(sim.request(http.MethodPost, entraToken, demoForm())); err == nil {
			t.Error("the connection was not closed")
		}
	}
	if got := sim.post(entraToken, demoForm()); got.status != 200 {
		t.Errorf("the third connection has status %d", got.status)
	}
	if closed := sim.ClosedConnections(); closed != 2 {
		t.Errorf("%d connections were closed, want 2", closed)
	}
	if calls := sim.Calls(stssim.Filter{}); len(calls) != 2 {
		t.Errorf("%d calls were logged, want 2", len(calls))
	}
}

func TestCloseConnectionsCanBeTakenBack(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.CloseConnections(5)
	sim.CloseConnections(0)
	if got := sim.post(entraToken, demoForm()); got.status != 200 {
		t.Errorf("status %d", got.status)
	}
}

func TestCloseConnectionsClosesIdleOnes(t *testing.T) {
	sim := start(t, stssim.Options{})
	sim.post(entraToken, demoForm())
	idle := sim.http
	sim.CloseConnections(1)
	// Whether the client notices before or after it has sent, its next call needs
	// a new connection, and that is the one to be closed.
	if _, err := idle.Do(sim.request(http.MethodPost, entraToken, demoForm())); err == nil {
		t.Error("the call went through an idle connection")
	}
}

// TestLatency needs no time: what ends the latency is told to do so once the
// call is known to wait.
func TestLatency(t *testing.T) {
	hold := stssim.Rule{Name: "hold", Action: stssim.Action{Latency: stssim.Duration(time.Hour)}}
	tests := []struct {
		name   string
		end    func(sim *simulator, cancel context.CancelFunc)
		status int // 0 is none
	}{
		{"ends when the rule is cleared", func(sim *simulator, _ context.CancelFunc) { sim.ClearRule("hold") }, 200},
		{"ends when all rules are cleared", func(sim *simulator, _ context.CancelFunc) { sim.ClearRules() }, 200},
		{"ends when the caller gives up", func(_ *simulator, cancel context.CancelFunc) { cancel() }, 0},
		{"ends when the server is closed", func(sim *simulator, _ context.CancelFunc) { sim.Close() }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim := start(t, stssim.Options{Rules: []stssim.Rule{hold}})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error)
			go func() {
				_, err := sim.try(sim.request(http.MethodPost, entraToken, demoForm()).WithContext(ctx))
				ended <- err
			}()
			if calls, err := sim.WaitCalls(t.Context(), stssim.Filter{}, 1); err != nil || calls[0].Finished {
				t.Fatalf("the call is not held: %+v, %v", calls, err)
			}
			test.end(sim, cancel)
			if err := <-ended; (err == nil) != (test.status != 0) {
				t.Errorf("the caller got the error %v", err)
			}
			calls, err := sim.WaitCalls(t.Context(), stssim.Filter{Finished: true}, 1)
			if err != nil || calls[0].Status != test.status {
				t.Errorf("logged %+v, %v", calls, err)
			}
			if issued := len(sim.Issued()); issued != test.status/200 {
				t.Errorf("%d tokens were issued", issued)
			}
		})
	}
}

func TestLatencyPasses(t *testing.T) {
	sim := start(t, stssim.Options{Rules: []stssim.Rule{{Action: stssim.Action{Latency: stssim.Duration(time.Nanosecond)}}}})
	if got := sim.post(entraToken, demoForm()); got.status != 200 {
		t.Errorf("status %d", got.status)
	}
}
