// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

const (
	contoso       = "contoso.onmicrosoft.com"
	demoClient    = "11111111-2222-3333-4444-555555555555"
	expiredClient = "22222222-3333-4444-5555-666666666666"
	demoSecret    = "stssim-demo-secret"
	expiredSecret = "stssim-expired-secret"
	graph         = "https://graph.microsoft.com/.default"

	entraToken = "/" + contoso + "/oauth2/v2.0/token"
	plainToken = "/plain/acme/token"
)

// epoch is the clock's first instant; its fraction makes roundings visible.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 500_000_000, time.UTC)

// clock is a time that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: epoch} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// simulator is a server under test with a client that trusts it.
type simulator struct {
	*stssim.Server
	t     *testing.T
	clock *clock
	http  *http.Client
}

func start(t *testing.T, options stssim.Options) *simulator {
	t.Helper()
	clock := newClock()
	options.Clock = clock.Now
	server, err := stssim.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return &simulator{Server: server, t: t, clock: clock, http: server.HTTPClient()}
}

// response is an answer that was read to its end.
type response struct {
	status int
	header http.Header
	body   string
}

// demoForm is a request that is granted.
func demoForm(changes ...url.Values) url.Values {
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {demoClient},
		"client_secret": {demoSecret},
		"scope":         {graph},
	}
	for _, change := range changes {
		maps.Copy(form, change)
	}
	maps.DeleteFunc(form, func(_ string, values []string) bool { return values == nil })
	return form
}

// acmeForm is a request that the plain service grants.
func acmeForm(changes ...url.Values) url.Values {
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {"demo"},
		"client_secret": {"stssim-acme-secret"},
	}
	for _, change := range changes {
		maps.Copy(form, change)
	}
	maps.DeleteFunc(form, func(_ string, values []string) bool { return values == nil })
	return form
}

func (s *simulator) request(method, path string, form url.Values) *http.Request {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.URL()+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return request
}

// try sends a request and reads the answer.
func (s *simulator) try(request *http.Request) (response, error) {
	answer, err := s.http.Do(request)
	if err != nil {
		return response{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return response{answer.StatusCode, answer.Header, string(body)}, err
}

func (s *simulator) do(request *http.Request) response {
	s.t.Helper()
	answer, err := s.try(request)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

func (s *simulator) post(path string, form url.Values) response {
	s.t.Helper()
	return s.do(s.request(http.MethodPost, path, form))
}

func (s *simulator) get(path string) response {
	s.t.Helper()
	return s.do(s.request(http.MethodGet, path, nil))
}

func (s *simulator) rule(rules ...stssim.Rule) {
	s.t.Helper()
	if err := s.AddRules(rules...); err != nil {
		s.t.Fatal(err)
	}
}

// member returns one member of a JSON object as raw text, "" when absent.
func member(t *testing.T, body, name string) string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		t.Fatalf("reading %q: %v", body, err)
	}
	return string(object[name])
}
