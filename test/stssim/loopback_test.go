// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestAdminIsForLoopback is inside the package because a machine may have no
// other address to call from.
func TestAdminIsForLoopback(t *testing.T) {
	server, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	tests := []struct {
		name, caller string
		want         int
	}{
		{"IPv4 loopback is served", "127.0.0.1:40000", http.StatusOK},
		{"IPv6 loopback is served", "[::1]:40000", http.StatusOK},
		{"IPv4 loopback mapped into IPv6 is served", "[::ffff:127.0.0.1]:40000", http.StatusOK},
		{"another address is not", "192.0.2.1:40000", http.StatusForbidden},
		{"an unknown address is not", "", http.StatusForbidden},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodGet, "https://stssim/_admin/canaries", nil)
			request.RemoteAddr = test.caller
			request.Header.Set("X-Forwarded-For", "127.0.0.1")
			recorder := httptest.NewRecorder()
			server.handle(recorder, request)
			if recorder.Code != test.want {
				t.Errorf("status %d, want %d", recorder.Code, test.want)
			}
		})
	}
}
