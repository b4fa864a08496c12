// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/rest"
)

// test/restart has a real API server judge; here there is none.
func TestNobodyReadsMetricsWhileTheAPIServerIsAway(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	filter, err := metricsReaders(&rest.Config{Host: away.URL}, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	metrics, err := filter(funcr.New(func(_, line string) { logged.WriteString(line) }, funcr.Options{}), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("tokenrequest_tokens 1"))
	}))
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Authorization", "Bearer canary")
	answer := httptest.NewRecorder()
	metrics.ServeHTTP(answer, request)
	if said := answer.Body.String(); answer.Code != http.StatusServiceUnavailable || !strings.Contains(said, "try again later") {
		t.Errorf("answered %d %q", answer.Code, said)
	}
	if text := logged.String(); !strings.Contains(text, "reviewing a token") || strings.Contains(text, "canary") {
		t.Errorf("logged %q", text)
	}
}

func TestABearerTokenIsFoundAsRFC6750WritesIt(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer a.b": "a.b", "bearer a.b": "a.b", "BEARER  a.b ": "a.b",
		"": "", "Bearer": "", "Basic YTpi": "", "a.b": "", "Bearera.b": "",
	} {
		request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		request.Header.Set("Authorization", header)
		if got := bearerToken(request); got != want {
			t.Errorf("%q has the token %q, want %q", header, got, want)
		}
	}
}
