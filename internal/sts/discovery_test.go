// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

const (
	openIDPath = "/.well-known/openid-configuration"
	oauthPath  = "/.well-known/oauth-authorization-server"
)

// publishes serves a document of the given members at each of the paths, and
// 404 elsewhere; "{}" in a member stands for the server's own URL.
func publishes(t *testing.T, members map[string]any, paths ...string) *server {
	t.Helper()
	documents := http.NewServeMux()
	s := serve(t, documents.ServeHTTP)
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatalf("marshalling the document: %v", err)
	}
	for _, path := range paths {
		documents.HandleFunc("GET "+path, answers(200, strings.ReplaceAll(string(text), "{}", s.URL)))
	}
	return s
}

func full(issuer string) map[string]any {
	return map[string]any{
		"issuer": issuer, "token_endpoint": "{}/token", "device_authorization_endpoint": "{}/device",
		"token_endpoint_auth_methods_supported": []string{"private_key_jwt", "client_secret_basic", "of_our_own"},
		"scopes_supported":                      []string{"email", "offline_access", "openid"},
		"mtls_endpoint_aliases":                 map[string]any{"token_endpoint": "{}/mtls/token", "device_authorization_endpoint": "{}/mtls/device"},
	}
}

func TestDiscover(t *testing.T) {
	wanted := func(issuer string) sts.Metadata {
		return sts.Metadata{
			Issuer: issuer, TokenEndpoint: "{}/token", DeviceAuthorizationEndpoint: "{}/device",
			AuthMethods: []string{"client_secret_basic", "private_key_jwt"}, Scopes: []string{"openid", "offline_access"},
			MTLSTokenEndpoint: "{}/mtls/token", MTLSDeviceAuthorizationEndpoint: "{}/mtls/device",
		}
	}
	tests := map[string]struct {
		authority string
		members   map[string]any
		at        string
		want      sts.Metadata
		asked     []string
	}{
		"an OpenID Connect document": {"{}", full("{}"), openIDPath, wanted("{}"), []string{"GET " + openIDPath}},
		"an OpenID Connect document below a path": {
			"{}/realms/a", full("{}/realms/a"), "/realms/a" + openIDPath, wanted("{}/realms/a"), []string{"GET /realms/a" + openIDPath}},
		"an RFC 8414 document": {"{}", full("{}"), oauthPath, wanted("{}"), []string{"GET " + openIDPath, "GET " + oauthPath}},
		"an RFC 8414 document of an issuer with a path": {
			"{}/realms/a", full("{}/realms/a"), oauthPath + "/realms/a", wanted("{}/realms/a"),
			[]string{"GET /realms/a" + openIDPath, "GET " + oauthPath + "/realms/a"}},
		"an authority with a slash at the end": {"{}/", full("{}"), openIDPath, wanted("{}"), []string{"GET " + openIDPath}},
		"an issuer with a slash at the end":    {"{}", full("{}/"), openIDPath, wanted("{}/"), []string{"GET " + openIDPath}},
		"a document with no more than it must have": {
			"{}", map[string]any{"issuer": "{}", "token_endpoint": "{}/token"}, openIDPath,
			sts.Metadata{Issuer: "{}", TokenEndpoint: "{}/token"}, []string{"GET " + openIDPath}},
		"a document whose other members are of no use": {
			"{}", map[string]any{"issuer": "{}", "token_endpoint": "{}/token", "device_authorization_endpoint": "http://a/",
				"token_endpoint_auth_methods_supported": "client_secret_basic", "scopes_supported": "openid", "mtls_endpoint_aliases": "{}/mtls"}, openIDPath,
			sts.Metadata{Issuer: "{}", TokenEndpoint: "{}/token"}, []string{"GET " + openIDPath}},
		"a document whose aliases may not be called": {
			"{}", map[string]any{"issuer": "{}", "token_endpoint": "{}/token", "scopes_supported": []string{"email"}, "mtls_endpoint_aliases": map[string]any{
				"token_endpoint": "https://169.254.169.254/token", "device_authorization_endpoint": "http://sts.example.com/device"}}, openIDPath,
			sts.Metadata{Issuer: "{}", TokenEndpoint: "{}/token"}, []string{"GET " + openIDPath}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := publishes(t, tc.members, tc.at)
			own := func(text string) string { return strings.ReplaceAll(text, "{}", s.URL) }
			got, err := sts.New(options()).Discover(t.Context(), own(tc.authority), s.trust())
			if err != nil {
				t.Fatalf("discovering: %v", err)
			}
			want := tc.want
			want.Issuer, want.TokenEndpoint = own(want.Issuer), own(want.TokenEndpoint)
			want.DeviceAuthorizationEndpoint = own(want.DeviceAuthorizationEndpoint)
			want.MTLSTokenEndpoint = own(want.MTLSTokenEndpoint)
			want.MTLSDeviceAuthorizationEndpoint = own(want.MTLSDeviceAuthorizationEndpoint)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.asked, s.paths()); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiscoverRefusesDocuments(t *testing.T) {
	with := func(name string, value any) map[string]any {
		members := full("{}")
		if members[name] = value; value == nil {
			delete(members, name)
		}
		return members
	}
	tests := map[string]struct {
		members map[string]any
		reason  oautherr.Reason
	}{
		"another issuer":                      {full("https://sts.example.com"), oautherr.ReasonMalformedResponse},
		"an issuer below the authority":       {full("{}/realms/a"), oautherr.ReasonMalformedResponse},
		"an issuer that isn't a string":       {with("issuer", 1), oautherr.ReasonMalformedResponse},
		"no issuer":                           {with("issuer", nil), oautherr.ReasonMalformedResponse},
		"no token endpoint":                   {with("token_endpoint", nil), oautherr.ReasonEndpointRefused},
		"a token endpoint without TLS":        {with("token_endpoint", "http://sts.example.com"), oautherr.ReasonEndpointRefused},
		"a token endpoint in the cloud's own": {with("token_endpoint", "https://169.254.169.254/token"), oautherr.ReasonEndpointRefused},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := publishes(t, tc.members, openIDPath)
			got, err := sts.New(options()).Discover(t.Context(), s.URL, s.trust())
			if err == nil || err.Reason != tc.reason {
				t.Errorf("got %v and %v, want an error of reason %s", got, err, tc.reason)
			}
			s.wantCalls(t, 1)
		})
	}
	t.Run("two issuers", func(t *testing.T) {
		var s *server
		s = serve(t, func(w http.ResponseWriter, r *http.Request) {
			answers(200, `{"issuer":"`+s.URL+`","issuer":"https://sts.example.com","token_endpoint":"`+s.URL+`"}`)(w, r)
		})
		_, err := sts.New(options()).Discover(t.Context(), s.URL, s.trust())
		if err == nil || err.Detail != "the body has the member issuer twice" {
			t.Errorf("got %v, want an error that says so", err)
		}
	})
}

func TestDiscoverRefusesAuthoritiesWithoutACall(t *testing.T) {
	s := serve(t, answers(200, `{}`))
	client := sts.New(options())
	for name, authority := range map[string]string{
		"one without TLS":         strings.Replace(s.URL, "https", "http", 1),
		"one with a query":        s.URL + "?a=b",
		"one with an empty query": s.URL + "?",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Discover(t.Context(), authority, s.trust())
			if err == nil || err.Reason != oautherr.ReasonEndpointRefused {
				t.Errorf("got %v, want a refusal", err)
			}
			s.wantCalls(t, 0)
		})
	}
}

func TestDiscoverLooksElsewhereOnlyForWhatIsNotThere(t *testing.T) {
	tests := map[string]struct {
		handler http.HandlerFunc
		calls   int
	}{
		"not found, with nothing in it":    {answers(404, ""), 2},
		"not found, with a page":           {answers(404, "<html>"), 2},
		"not found, with an error in JSON": {answers(404, `{"error":"Realm does not exist"}`), 2},
		"a failure of the server":          {answers(500, ""), 1},
		"a failure of the server, in JSON": {answers(503, `{"error":"down"}`), 1},
		"a throttle":                       {answers(429, "Too Many Requests"), 1},
		"an answer that breaks off":        {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 1},
		"a success that isn't a document":  {answers(200, "<html>"), 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			// Over HTTP/2, because net/http sends a GET over HTTP/1.1 again itself.
			s := serve(t, tc.handler, func(s *httptest.Server) { s.EnableHTTP2 = true })
			if m, err := sts.New(options()).Discover(t.Context(), s.URL, s.trust()); err == nil {
				t.Errorf("got %v, want an error", m)
			}
			s.wantCalls(t, tc.calls)
		})
	}
}

// A server that redirects what it doesn't know to its sign-in page may have the other document. Where
// it has none, the redirect is what is wrong: a 404 would have people look for a mistyped path.
func TestDiscoverReportsARedirect(t *testing.T) {
	redirects := answers(301, "", "Location", "https://sso.example.com/realms/shop/.well-known/openid-configuration")
	tests := map[string]struct {
		second http.HandlerFunc
		reason oautherr.Reason
	}{
		"and no other document":       {answers(404, ""), oautherr.ReasonRedirectRefused},
		"and another redirect":        {redirects, oautherr.ReasonRedirectRefused},
		"and a failure of the server": {answers(503, ""), oautherr.ReasonServerError},
		"and an RFC 8414 document":    {nil, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			documents := http.NewServeMux()
			s := serve(t, documents.ServeHTTP)
			if tc.second == nil {
				tc.second = answers(200, `{"issuer":"`+s.URL+`","token_endpoint":"`+s.URL+`/token"}`)
			}
			documents.HandleFunc("GET "+openIDPath, redirects)
			documents.HandleFunc("GET "+oauthPath, tc.second)
			_, err := sts.New(options()).Discover(t.Context(), s.URL, s.trust())
			if (err == nil) != (tc.reason == "") || err != nil && err.Reason != tc.reason {
				t.Errorf("got %v, want the reason %q", err, tc.reason)
			}
			s.wantCalls(t, 2)
		})
	}
}

func TestDiscoverLooksNowhereElseForWhatWasNotAsked(t *testing.T) {
	s := serve(t, answers(404, ""))
	tests := map[string]struct {
		transport sts.Transport
		connects  int32
	}{
		"a certificate that isn't trusted": {sts.Transport{}, 1}, // and no retry, which would end the same way
		"a refused address":                {sts.Transport{ProxyURL: "http://169.254.0.1:1"}, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, connects := countConnects(t.Context())
			authority := s.URL
			if tc.transport.ProxyURL != "" {
				authority = "https://sts.example.com"
			}
			_, err := sts.New(options()).Discover(ctx, authority, tc.transport)
			if err == nil || err.HTTPStatus != 0 {
				t.Errorf("got %v, want an error without an answer", err)
			}
			if got := connects.Load(); got != tc.connects {
				t.Errorf("connected %d times, want %d", got, tc.connects)
			}
		})
	}
}

func TestDiscoverRemembers(t *testing.T) {
	clock := newClock()
	o := options()
	o.Now = clock.Now
	client := sts.New(o)
	down := false
	var s *server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if down {
			answers(503, "")(w, r)
			return
		}
		answers(200, `{"issuer":"`+s.URL+`","token_endpoint":"`+s.URL+`/token"}`)(w, r)
	})
	discovers := func(want int) {
		t.Helper()
		m, err := client.Discover(t.Context(), s.URL, s.trust())
		if err != nil || m.TokenEndpoint != s.URL+"/token" {
			t.Errorf("got %v and %v, want the document", m, err)
		}
		s.wantCalls(t, want)
	}
	knows := func(want bool) {
		t.Helper()
		if _, got := client.Known(s.URL, s.trust()); got != want {
			t.Errorf("known is %t, want %t", got, want)
		}
	}
	knows(false)
	discovers(1)
	knows(true)
	discovers(1)
	if _, known := client.Known(s.URL+"/", s.trust()); !known {
		t.Error("the authority with a slash at the end isn't known")
	}
	if _, known := client.Known(s.URL, sts.Transport{}); known {
		t.Error("what one trust root learned is known to another")
	}

	clock.Step(24*time.Hour - 1)
	discovers(1)
	clock.Step(1)
	knows(false)
	down = true
	discovers(2) // the old one, because the server is down
	knows(true)
	clock.Step(5*time.Minute - 1)
	discovers(2)
	clock.Step(1)
	discovers(3)
	clock.Step(5 * time.Minute)
	down = false
	discovers(4)
	clock.Step(24*time.Hour - 1)
	discovers(4)

	clock.Step(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Discover(ctx, s.URL, s.trust()); err == nil || !err.Canceled() {
		t.Errorf("cancelled, got %v, want an error that says Canceled", err)
	}
	knows(false)
}

func TestDiscoverBoundsWhatItRemembers(t *testing.T) {
	var s *server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		issuer := s.URL + strings.TrimSuffix(r.URL.Path, openIDPath)
		answers(200, `{"issuer":"`+issuer+`","token_endpoint":"`+s.URL+`/token"}`)(w, r)
	}, func(s *httptest.Server) { s.EnableHTTP2 = true })
	client := sts.New(options())
	for i := range 1025 {
		client.Known(s.URL+"/0", s.trust()) // so that it is never the one used the longest ago
		if _, err := client.Discover(t.Context(), fmt.Sprint(s.URL, "/", i), s.trust()); err != nil {
			t.Fatalf("discovering: %v", err)
		}
	}
	for i, want := range map[int]bool{0: true, 1: false, 2: true, 1024: true} {
		if _, got := client.Known(fmt.Sprint(s.URL, "/", i), s.trust()); got != want {
			t.Errorf("of 1025 authorities the one with number %d is known: %t, want %t", i, got, want)
		}
	}
}

func TestDiscoverSharesOneCallAmongAllWhoAsk(t *testing.T) {
	asked, release := make(chan struct{}, 100), make(chan struct{})
	documents := http.NewServeMux()
	s := serve(t, documents.ServeHTTP)
	documents.HandleFunc("GET "+openIDPath, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-release
		answers(200, `{"issuer":"`+s.URL+`","token_endpoint":"`+s.URL+`/token"}`)(w, r)
	})
	client := sts.New(options())
	discover := func(ctx context.Context) *oautherr.Error {
		_, err := client.Discover(ctx, s.URL, s.trust())
		return err
	}

	var all sync.WaitGroup
	results := make(chan *oautherr.Error, 10)
	all.Go(func() { results <- discover(t.Context()) })
	<-asked
	impatient, leave := context.WithCancel(t.Context())
	leave()
	if err := discover(impatient); err == nil || !err.Canceled() {
		t.Errorf("one who gave up while another asked got %v", err)
	}
	for range 9 {
		all.Go(func() { results <- discover(t.Context()) })
	}
	close(release)
	all.Wait()
	for range 10 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if got := s.paths(); len(got) != 1 {
		t.Errorf("the server was asked %d times: %v", len(got), got)
	}
}

// waiting tells when somebody waits for the end of the context.
type waiting struct {
	context.Context

	once *sync.Once
	told chan struct{}
}

func (w waiting) Done() <-chan struct{} {
	w.once.Do(func() { close(w.told) })
	return w.Context.Done()
}

// hanging serves a document once it is released, and tells of calls that begin and of those that were
// given up before.
func hanging(t *testing.T) (s *server, asked, release, left chan struct{}) {
	t.Helper()
	asked, release, left = make(chan struct{}, 100), make(chan struct{}), make(chan struct{}, 100)
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-release:
			answers(200, `{"issuer":"`+s.URL+`","token_endpoint":"`+s.URL+`/token"}`)(w, r)
		case <-r.Context().Done():
			left <- struct{}{}
		}
	})
	return s, asked, release, left
}

// One tenant's timeout is another's to share no more than its patience.
func TestDiscoverEndsForEachWhoAsksByItself(t *testing.T) {
	s, asked, release, _ := hanging(t)
	client := sts.New(options())
	errs := make(chan *oautherr.Error, 2)
	discover := func(ctx context.Context) {
		_, err := client.Discover(ctx, s.URL, s.trust())
		errs <- err
	}
	short, expire := context.WithCancelCause(t.Context())
	go discover(short)
	<-asked
	long := waiting{t.Context(), &sync.Once{}, make(chan struct{})}
	go discover(long)
	<-long.told
	expire(context.DeadlineExceeded)
	if err := <-errs; err == nil || err.Detail != "it did not answer in time" || !err.Sent {
		t.Errorf("who asked first and had no more time got %v, want that the server didn't answer", err)
	}
	close(release)
	if err := <-errs; err != nil {
		t.Errorf("who had time got %v, want the document", err)
	}
	s.wantCalls(t, 1)
}

func TestDiscoverEndsWhenNobodyWaits(t *testing.T) {
	s, asked, release, left := hanging(t)
	client := sts.New(options())
	errs := make(chan *oautherr.Error, 1)
	for range 2 {
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			_, err := client.Discover(ctx, s.URL, s.trust())
			errs <- err
		}()
		<-asked
		leave()
		if err := <-errs; err == nil || !err.Canceled() {
			t.Errorf("who gave up got %v", err)
		}
		<-left
	}
	close(release)
	if _, err := client.Discover(t.Context(), s.URL, s.trust()); err != nil {
		t.Errorf("who asked after the others gave up got %v", err)
	}
}

func TestDiscoverTakesAnOldDocumentFromAServerThatHangs(t *testing.T) {
	s, asked, release, _ := hanging(t)
	clock := newClock()
	o := options()
	o.Now = clock.Now
	client := sts.New(o)
	go func() { release <- struct{}{} }()
	if _, err := client.Discover(t.Context(), s.URL, s.trust()); err != nil {
		t.Fatalf("discovering: %v", err)
	}
	<-asked
	clock.Step(24 * time.Hour)
	ctx, expire := context.WithCancelCause(t.Context())
	go func() {
		<-asked
		expire(context.DeadlineExceeded)
	}()
	if m, err := client.Discover(ctx, s.URL, s.trust()); err != nil || m.TokenEndpoint != s.URL+"/token" {
		t.Errorf("got %v and %v, want the old document", m, err)
	}
	if _, known := client.Known(s.URL, s.trust()); !known {
		t.Error("the old document isn't used for a while")
	}
}
