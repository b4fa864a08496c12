// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

const deviceSuccess = `{"device_code":"` + deviceCanary + `","user_code":"ABCD-EFGH","verification_uri":"https://sts.example.com/device"}`

// deviceRequest returns a public client's request for a device code.
func (s *server) deviceRequest() sts.Request {
	r := s.request()
	r.Endpoint, r.Auth, r.ClientSecret = s.URL+"/device", sts.AuthNone, ""
	return r
}

func TestAuthorizeReturnsTheCodes(t *testing.T) {
	s := serve(t, answers(200, deviceSuccess))
	got, err := sts.New(options()).Authorize(t.Context(), s.deviceRequest())
	if err != nil {
		t.Fatalf("asking: %v", err)
	}
	issued := time.Date(2030, 1, 2, 2, 4, 5, 0, time.UTC)
	want := &sts.DeviceAuthorization{
		DeviceCode: deviceCanary, UserCode: "ABCD-EFGH", VerificationURI: "https://sts.example.com/device",
		IssuedAt: issued, ExpiresAt: issued.Add(15 * time.Minute), Interval: 5 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("authorization (-want +got):\n%s", diff)
	}
	if shown := show(t, got); strings.Contains(shown, deviceCanary) {
		t.Errorf("it shows its device code: %s", shown)
	}
	if r := s.last(t); r.Method != http.MethodPost || r.URL.Path != "/device" || r.Header.Get("Client-Request-Id") != correlationID {
		t.Errorf("the request is %s %s %v", r.Method, r.URL, r.Header)
	}
	s.wantCalls(t, 1)
}

func TestAuthorizeSends(t *testing.T) {
	assertionType := []string{"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
	tests := map[string]struct {
		change func(*sts.Request)
		form   url.Values
		basic  string
	}{
		"a public client":     {func(*sts.Request) {}, url.Values{"client_id": {"client"}, "scope": {"scope"}}, ""},
		"no scope where none": {func(r *sts.Request) { r.Scopes = nil }, url.Values{"client_id": {"client"}}, ""},
		"client_secret_basic, with the client's id in the form": {
			func(r *sts.Request) { r.Auth, r.ClientSecret = sts.AuthClientSecretBasic, "s" },
			url.Values{"client_id": {"client"}, "scope": {"scope"}}, "client:s"},
		"client_secret_post": {
			func(r *sts.Request) { r.Auth, r.ClientSecret = sts.AuthClientSecretPost, "s" },
			url.Values{"client_id": {"client"}, "client_secret": {"s"}, "scope": {"scope"}}, ""},
		"a federated assertion": {
			func(r *sts.Request) { r.Auth, r.ClientAssertion = sts.AuthPrivateKeyJWT, federatedCanary },
			url.Values{"client_id": {"client"}, "client_assertion": {federatedCanary}, "client_assertion_type": assertionType, "scope": {"scope"}}, ""},
		"all that can be asked for, and nothing of a grant": {
			func(r *sts.Request) {
				r.Scopes, r.Resources, r.Claims = []string{"openid", "a"}, []string{"https://a", "https://b"}, `{}`
				r.Parameters = map[string]string{"audience": "x"}
				r.Grant = sts.Grant{Type: sts.GrantDeviceCode}
			},
			url.Values{"client_id": {"client"}, "scope": {"openid a"}, "resource": {"https://a", "https://b"}, "claims": {`{}`}, "audience": {"x"}}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answers(200, deviceSuccess))
			request := s.deviceRequest()
			tc.change(&request)
			if _, err := sts.New(options()).Authorize(t.Context(), request); err != nil {
				t.Fatalf("asking: %v", err)
			}
			expectSent(t, s.last(t), tc.form, tc.basic)
		})
	}
}

func TestAuthorizeSignsForItsEndpoint(t *testing.T) {
	s := serve(t, answers(200, deviceSuccess))
	request := s.deviceRequest()
	request.Auth, request.Key = sts.AuthPrivateKeyJWT, &sts.SigningKey{Pair: pairOf(t, ecKey())}
	if _, err := sts.New(options()).Authorize(t.Context(), request); err != nil {
		t.Fatalf("asking: %v", err)
	}
	if got := payload(t, s.last(t).PostForm.Get("client_assertion"))["aud"]; got != request.Endpoint {
		t.Errorf("the assertion is for %v, want %s", got, request.Endpoint)
	}
}

func TestAuthorizeReportsOutcomes(t *testing.T) {
	tests := map[string]struct {
		handler http.HandlerFunc
		class   oautherr.Class
		reason  oautherr.Reason
	}{
		"a refusal":                            {answers(400, `{"error":"unauthorized_client"}`), oautherr.Configuration, oautherr.ReasonUnauthorizedClient},
		"a refusal that says 200":              {answers(200, `{"error":"invalid_client","device_code":"x"}`), oautherr.Credential, oautherr.ReasonInvalidClient},
		"an administrator's no":                {answers(403, `{"error":"access_denied"}`), oautherr.Permission, oautherr.ReasonAccessDenied},
		"a throttled call":                     {answers(429, ``), oautherr.Throttled, oautherr.ReasonThrottled},
		"a server that fails":                  {answers(503, ``), oautherr.Transient, oautherr.ReasonServerError},
		"an answer that is a token":            {answers(200, success), oautherr.Transient, oautherr.ReasonMalformedResponse},
		"an answer that is no JSON":            {answers(200, `<html>`), oautherr.Transient, oautherr.ReasonMalformedResponse},
		"an address that has no such thing":    {answers(404, `no`), oautherr.Configuration, oautherr.ReasonMalformedResponse},
		"an address that leads somewhere else": {answers(302, ``, "Location", "/"), oautherr.Configuration, oautherr.ReasonRedirectRefused},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tc.handler)
			got, err := sts.New(options()).Authorize(t.Context(), s.deviceRequest())
			if got != nil || err == nil || err.Class != tc.class || err.Reason != tc.reason {
				t.Fatalf("got %v and %v, want class %s and reason %s", got, err, tc.class, tc.reason)
			}
			if err.CorrelationID != correlationID {
				t.Errorf("the correlation id is %q", err.CorrelationID)
			}
			s.wantCalls(t, 1)
		})
	}
}

func TestAuthorizeRefusesWithoutACall(t *testing.T) {
	tests := map[string]func(*sts.Request){
		"an endpoint that isn't https": func(r *sts.Request) { r.Endpoint = "http://sts.example.com" },
		"no client id":                 func(r *sts.Request) { r.ClientID = "" },
		"no secret":                    func(r *sts.Request) { r.Auth = sts.AuthClientSecretPost },
		"a parameter of OAuth's own":   func(r *sts.Request) { r.Parameters = map[string]string{"scope": "x"} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answers(200, deviceSuccess))
			request := s.deviceRequest()
			change(&request)
			if got, err := sts.New(options()).Authorize(t.Context(), request); got != nil || err == nil || err.HTTPStatus != 0 {
				t.Errorf("got %v and %v, want a refusal", got, err)
			}
			s.wantCalls(t, 0)
		})
	}
}

// What people are shown may quote neither what was sent nor the device code.
func TestAuthorizeShowsNoSecret(t *testing.T) {
	for name, quoted := range map[string]string{"the client's secret": secretCanary, "the device code": deviceCanary, "half of it": deviceCanary[:14]} {
		t.Run(name, func(t *testing.T) {
			members := map[string]string{}
			status := 200
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				text, _ := json.Marshal(members)
				answers(status, string(text))(w, r)
			})
			client, request := sts.New(options()), s.deviceRequest()
			request.Auth, request.ClientSecret = sts.AuthClientSecretPost, secretCanary
			whole := func() {
				members = map[string]string{"device_code": deviceCanary, "user_code": "ABCD", "verification_uri": "https://sts.example.com/"}
			}
			for _, member := range []string{"user_code", "verification_uri", "verification_uri_complete"} {
				whole()
				members[member] = "https://sts.example.com/?code=" + url.QueryEscape(quoted)
				if member == "user_code" {
					members[member] = quoted
				}
				got, err := client.Authorize(t.Context(), request)
				if err == nil && (member != "verification_uri_complete" || got.VerificationURIComplete != "") {
					t.Errorf("as %s it gives %+v", member, got)
				}
				if err != nil && strings.Contains(show(t, *err), quoted) {
					t.Errorf("as %s it gives %v", member, err)
				}
			}
			for _, status = range []int{200, 400} {
				whole()
				members["error"], members["error_description"] = "invalid_client", "no: "+quoted
				if _, err := client.Authorize(t.Context(), request); err == nil || strings.Contains(show(t, *err), quoted) {
					t.Errorf("in an error with HTTP %d it gives %v", status, err)
				}
			}
		})
	}
}
