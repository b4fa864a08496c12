// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

func TestTokenReturnsTheToken(t *testing.T) {
	s := serve(t, answers(200, `{"access_token":"`+tokenCanary+`","token_type":"Bearer","expires_in":"3599","refresh_in":1800,"scope":"a b"}`))
	got, err := sts.New(options()).Token(t.Context(), s.request())
	if err != nil {
		t.Fatalf("asking: %v", err)
	}
	// The clock says 03:04:05.678+01:00.
	issued := time.Date(2030, 1, 2, 2, 4, 5, 0, time.UTC)
	want := &sts.Token{
		AccessToken: tokenCanary, TokenType: "Bearer", Scope: "a b", ScopeSaid: true,
		IssuedAt: issued, ExpiresAt: issued.Add(3599 * time.Second),
		Lifetime: 3599 * time.Second, RefreshIn: 30 * time.Minute, CorrelationID: correlationID,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
}

func TestTokenDatesTheTokenByTheRequest(t *testing.T) {
	clock := newClock()
	before := clock.Now()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		clock.Step(10 * time.Second)
		answers(200, success)(w, r)
	})
	o := options()
	o.Now = clock.Now
	token, err := sts.New(o).Token(t.Context(), s.request())
	if err != nil {
		t.Fatalf("asking: %v", err)
	}
	if want := before.UTC().Truncate(time.Second); !token.IssuedAt.Equal(want) {
		t.Errorf("the token was issued at %v, want %v, before the server took its time", token.IssuedAt, want)
	}
}

func TestTokenSends(t *testing.T) {
	full := func(r *sts.Request) {
		r.Scopes = []string{"https://graph.microsoft.com/.default", "b"}
		r.Resources = []string{"https://a.example.com", "https://b.example.com"}
		r.Claims = `{"access_token":{}}`
		r.Parameters = map[string]string{"audience": "https://api.example.com/", "empty": ""}
	}
	tests := map[string]struct {
		change func(*sts.Request)
		form   url.Values
		basic  string
	}{
		"client_secret_post puts the client into the form": {
			func(*sts.Request) {},
			url.Values{"grant_type": {"client_credentials"}, "client_id": {"client"}, "client_secret": {secretCanary}, "scope": {"scope"}},
			"",
		},
		"client_secret_basic leaves the client out of the form": {
			func(r *sts.Request) { r.Auth = sts.AuthClientSecretBasic },
			url.Values{"grant_type": {"client_credentials"}, "scope": {"scope"}},
			"client:canary-secret-8Q~x%2B%2F%3D%25",
		},
		"client_secret_basic encodes as RFC 6749 appendix B does": {
			func(r *sts.Request) {
				r.Auth, r.ClientID, r.ClientSecret = sts.AuthClientSecretBasic, "a b:c", " %&+£€"
			},
			url.Values{"grant_type": {"client_credentials"}, "scope": {"scope"}},
			"a+b%3Ac:+%25%26%2B%C2%A3%E2%82%AC",
		},
		"none names the client and sends no secret": {
			func(r *sts.Request) { r.Auth = sts.AuthNone },
			url.Values{"grant_type": {"client_credentials"}, "client_id": {"client"}, "scope": {"scope"}},
			"",
		},
		"no scopes send no scope": {
			func(r *sts.Request) { r.Auth, r.Scopes = sts.AuthNone, nil },
			url.Values{"grant_type": {"client_credentials"}, "client_id": {"client"}},
			"",
		},
		"everything that can be asked for": {
			func(r *sts.Request) { r.Auth = sts.AuthNone; full(r) },
			url.Values{
				"grant_type": {"client_credentials"}, "client_id": {"client"},
				"scope":    {"https://graph.microsoft.com/.default b"},
				"resource": {"https://a.example.com", "https://b.example.com"},
				"claims":   {`{"access_token":{}}`}, "audience": {"https://api.example.com/"}, "empty": {""},
			},
			"",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answers(200, success))
			request := s.request()
			tc.change(&request)
			if _, err := sts.New(options()).Token(t.Context(), request); err != nil {
				t.Fatalf("asking: %v", err)
			}
			expectSent(t, s.last(t), tc.form, tc.basic)
		})
	}
}

// expectSent compares the form of a request and its Basic credential, "" for none.
func expectSent(t *testing.T, got *http.Request, form url.Values, basic string) {
	t.Helper()
	if diff := cmp.Diff(form, got.PostForm); diff != "" {
		t.Errorf("form (-want +got):\n%s", diff)
	}
	credential := ""
	if encoded, ok := strings.CutPrefix(got.Header.Get("Authorization"), "Basic "); ok {
		decoded, _ := base64.StdEncoding.DecodeString(encoded)
		credential = string(decoded)
	}
	if credential != basic {
		t.Errorf("the Basic credential is %q, want %q", credential, basic)
	}
}

func TestTokenSendsHeaders(t *testing.T) {
	s := serve(t, answers(200, success))
	client := sts.New(options())
	if _, err := client.Token(t.Context(), s.request()); err != nil {
		t.Fatalf("asking: %v", err)
	}
	r := s.last(t)
	got := r.Header.Clone()
	got.Del("Content-Length")
	want := http.Header{
		"Accept":                   {"application/json"},
		"Client-Request-Id":        {correlationID},
		"Content-Type":             {"application/x-www-form-urlencoded"},
		"Return-Client-Request-Id": {"true"},
		"User-Agent":               {"tokenrequest-operator/test"},
		"X-Ms-Lib-Capability":      {"retry-after, h429"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if r.Method != http.MethodPost || r.URL.String() != "/token" {
		t.Errorf("the request is %s %s, want POST /token", r.Method, r.URL)
	}
}

func TestTokenGivesEachRequestItsOwnCorrelationID(t *testing.T) {
	ids := []string{"first", "second"}
	o := options()
	o.NewCorrelationID = func() string {
		id := ids[0]
		ids = ids[1:]
		return id
	}
	s := serve(t, answers(200, success))
	client := sts.New(o)
	for _, want := range []string{"first", "second"} {
		token, err := client.Token(t.Context(), s.request())
		if err != nil {
			t.Fatalf("asking: %v", err)
		}
		if sent := s.last(t).Header.Get("Client-Request-Id"); sent != want || token.CorrelationID != want {
			t.Errorf("sent %q and reported %q, want %q", sent, token.CorrelationID, want)
		}
	}
}

func TestTokenSpeaksHTTP2(t *testing.T) {
	s := serve(t, answers(200, success), func(s *httptest.Server) { s.EnableHTTP2 = true })
	if _, err := sts.New(options()).Token(t.Context(), s.request()); err != nil {
		t.Fatalf("asking: %v", err)
	}
	if got := s.last(t).Proto; got != "HTTP/2.0" {
		t.Errorf("spoke %s, want HTTP/2.0", got)
	}
}

// The outcomes that sts-behaviour tells of other libraries: whatever the server
// does becomes one error of the model.
func TestTokenReportsOutcomes(t *testing.T) {
	const page = "<html>" + tokenCanary + "</html>"
	tests := map[string]struct {
		handler http.HandlerFunc
		want    oautherr.Error
	}{
		"a refusal with a JSON object": {
			answers(401, `{"error":"invalid_client","error_description":"no","correlation_id":"theirs"}`),
			oautherr.Error{Class: oautherr.Credential, Reason: oautherr.ReasonInvalidClient, Code: "invalid_client",
				Description: "no", CorrelationID: "theirs", HTTPStatus: 401},
		},
		"a refusal with no correlation id of the server's": {
			answers(400, `{"error":"invalid_scope"}`),
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonInvalidScope, Code: "invalid_scope",
				CorrelationID: correlationID, HTTPStatus: 400},
		},
		"a throttle in plain text": {
			answers(429, "Too Many Requests", "Retry-After", "60"),
			oautherr.Error{Class: oautherr.Throttled, Reason: oautherr.ReasonThrottled,
				CorrelationID: correlationID, HTTPStatus: 429, RetryAfter: time.Minute},
		},
		"not found, with nothing in it": {
			answers(404, ""),
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonMalformedResponse, Detail: "the body is empty",
				CorrelationID: correlationID, HTTPStatus: 404},
		},
		"a failure of the server with a JSON object": {
			answers(503, `{"error":"temporarily_unavailable"}`),
			oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonTemporarilyUnavailable, Code: "temporarily_unavailable",
				CorrelationID: correlationID, HTTPStatus: 503},
		},
		"a failure of the server with a page": {
			answers(500, page),
			oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonServerError, Detail: "the body is not one JSON object",
				CorrelationID: correlationID, HTTPStatus: 500},
		},
		"a success with a page": {
			answers(200, page),
			oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, Detail: "the body is not one JSON object",
				CorrelationID: correlationID, HTTPStatus: 200},
		},
		"a success with an empty object": {
			answers(200, `{}`),
			oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse,
				Detail:        "the body has no access_token of 1 to 262144 printable ASCII characters",
				CorrelationID: correlationID, HTTPStatus: 200},
		},
		"a success with a list": {
			answers(200, `[]`),
			oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, Detail: "the body is not one JSON object",
				CorrelationID: correlationID, HTTPStatus: 200},
		},
		"a success with null": {
			answers(200, `null`),
			oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, Detail: "the body is not one JSON object",
				CorrelationID: correlationID, HTTPStatus: 200},
		},
		"a redirect, which is not followed": {
			answers(307, "", "Location", "/elsewhere"),
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonRedirectRefused, Detail: "the body is empty",
				CorrelationID: correlationID, HTTPStatus: 307},
		},
		"a redirect to nowhere": {
			answers(302, "", "Location", ":%"),
			oautherr.Error{Class: oautherr.Configuration, Reason: oautherr.ReasonRedirectRefused, Detail: "the body is empty",
				CorrelationID: correlationID, HTTPStatus: 302},
		},
		"a body larger than 1 MiB": {
			answers(200, `{"pad":"`+strings.Repeat("x", 1<<20)+`"}`),
			oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonMalformedResponse, Detail: "the body is larger than the operator accepts",
				CorrelationID: correlationID, HTTPStatus: 200},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tc.handler)
			token, err := sts.New(options()).Token(t.Context(), s.request())
			if token != nil || err == nil {
				t.Fatalf("got token %v and error %v, want an error alone", token, err)
			}
			if diff := cmp.Diff(tc.want, *err); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			s.wantCalls(t, 1)
			wantNoCanary(t, "the error", show(t, *err))
		})
	}
}

func TestTokenAcceptsABodyOfOneMebibyte(t *testing.T) {
	body := success[:len(success)-1] + `,"pad":"`
	body += strings.Repeat("x", 1<<20-len(body)-2) + `"}`
	s := serve(t, answers(200, body))
	if _, err := sts.New(options()).Token(t.Context(), s.request()); err != nil {
		t.Errorf("a body of %d bytes: %v", len(body), err)
	}
}

func TestTokenRedactsWhatAServerEchoes(t *testing.T) {
	escaped := url.QueryEscape(secretCanary)
	for _, auth := range []sts.AuthMethod{sts.AuthClientSecretPost, sts.AuthClientSecretBasic} {
		t.Run(string(auth), func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				echo, _ := json.Marshal(map[string]string{
					"error":             "invalid_client",
					"error_description": "bad " + secretCanary + " " + escaped + " " + r.Header.Get("Authorization"),
				})
				answers(401, string(echo))(w, r)
			})
			request := s.request()
			request.Auth = auth
			_, err := sts.New(options()).Token(t.Context(), request)
			if err == nil {
				t.Fatal("got no error")
			}
			shown := show(t, *err)
			wantNoCanary(t, "the error", shown)
			pair := base64.StdEncoding.EncodeToString([]byte("client:" + escaped))
			for _, form := range []string{escaped, pair, pair[len(pair)/2:]} {
				if strings.Contains(shown, form) {
					t.Errorf("the error shows the secret as %q: %s", form, shown)
				}
			}
		})
	}
}

func TestTokenRefusesWithoutACall(t *testing.T) {
	tests := map[string]struct {
		change func(*sts.Request)
		reason oautherr.Reason
	}{
		"an endpoint that isn't https": {func(r *sts.Request) { r.Endpoint = strings.Replace(r.Endpoint, "https", "http", 1) }, oautherr.ReasonEndpointRefused},
		"no client id":                 {func(r *sts.Request) { r.ClientID = "" }, oautherr.ReasonInvalidRequest},
		"no authentication method":     {func(r *sts.Request) { r.Auth = "" }, oautherr.ReasonInvalidRequest},
		"a method that is not ours":    {func(r *sts.Request) { r.Auth = "client_secret_jwt" }, oautherr.ReasonInvalidRequest},
		"post without a secret":        {func(r *sts.Request) { r.ClientSecret = "" }, oautherr.ReasonInvalidClient},
		"basic without a secret":       {func(r *sts.Request) { r.Auth, r.ClientSecret = sts.AuthClientSecretBasic, "" }, oautherr.ReasonInvalidClient},
		"a parameter without a name":   {func(r *sts.Request) { r.Parameters = map[string]string{"": "x"} }, oautherr.ReasonInvalidRequest},
		"a CA bundle without one":      {func(r *sts.Request) { r.Transport.RootCAs = []byte("none") }, oautherr.ReasonEndpointRefused},
		"a proxy with a password":      {func(r *sts.Request) { r.Transport.ProxyURL = "http://u:p@proxy.example.com" }, oautherr.ReasonEndpointRefused},
		"a proxy of another protocol":  {func(r *sts.Request) { r.Transport.ProxyURL = "socks5://proxy.example.com" }, oautherr.ReasonEndpointRefused},
		"a proxy without a host":       {func(r *sts.Request) { r.Transport.ProxyURL = "http://" }, oautherr.ReasonEndpointRefused},
		"a proxy that can't be parsed": {func(r *sts.Request) { r.Transport.ProxyURL = "http://%zz" }, oautherr.ReasonEndpointRefused},
	}
	for _, own := range []string{
		"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "scope", "resource", "claims",
		"assertion", "refresh_token", "code", "code_verifier", "redirect_uri", "username", "password", "device_code",
		"subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type", "requested_token_use",
		"GRANT_TYPE", "Client_Secret",
	} {
		tests["the parameter "+own] = struct {
			change func(*sts.Request)
			reason oautherr.Reason
		}{func(r *sts.Request) { r.Parameters = map[string]string{own: "x"} }, oautherr.ReasonInvalidRequest}
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answers(200, success))
			request := s.request()
			tc.change(&request)
			_, err := sts.New(options()).Token(t.Context(), request)
			if err == nil || err.Reason != tc.reason || err.Class != oautherr.Configuration {
				t.Fatalf("got %v, want a refusal with reason %s", err, tc.reason)
			}
			s.wantCalls(t, 0)
			wantNoCanary(t, "the error", show(t, *err))
		})
	}
}

func TestTokenIsSafeForConcurrentUse(t *testing.T) {
	s := serve(t, answers(200, success), func(s *httptest.Server) { s.EnableHTTP2 = true })
	client := sts.New(options())
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if _, err := client.Token(t.Context(), s.request()); err != nil {
				t.Errorf("asking: %v", err)
			}
		})
	}
	all.Wait()
	s.wantCalls(t, 32)
}

func TestNewWantsItsSources(t *testing.T) {
	for name, forget := range map[string]func(*sts.Options){
		"no clock":                     func(o *sts.Options) { o.Now = nil },
		"no source of correlation ids": func(o *sts.Options) { o.NewCorrelationID = nil },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("New returned, want a panic")
				}
			}()
			o := options()
			forget(&o)
			sts.New(o)
		})
	}
}
