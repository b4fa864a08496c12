// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// A call that we end ourselves races with what the server makes of its end.
func TestReadResponseTellsOurEndFromTheServers(t *testing.T) {
	var (
		errReset = errors.New("connection reset")
		half     = func() io.Reader { return strings.NewReader(`{"access_to`) }
		whole    = func() io.Reader { return strings.NewReader(`{"access_token":"a"}`) }
		broken   = func() io.Reader { return iotest.ErrReader(errReset) }
	)
	live := t.Context()
	cancelled, cancel := context.WithCancelCause(live)
	cancel(errReset)
	late, stop := context.WithDeadline(live, time.Unix(0, 0))
	defer stop()
	tests := map[string]struct {
		ctx  context.Context
		body func() io.Reader
		want error
	}{
		"an answer that breaks off is the server's":                      {live, broken, errReset},
		"an answer that breaks off after the cancellation is ours":       {cancelled, broken, context.Canceled},
		"an answer that breaks off after the deadline says how":          {late, broken, errReset},
		"half an answer in good order is the server's":                   {live, half, nil},
		"half an answer in good order after the cancellation is ours":    {cancelled, half, context.Canceled},
		"half an answer in good order after the deadline is late":        {late, half, context.DeadlineExceeded},
		"a whole answer counts, though the call was cancelled meanwhile": {cancelled, whole, nil},
		"a whole answer counts, though the deadline passed meanwhile":    {late, whole, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := readResponse(tc.ctx, &http.Response{Body: io.NopCloser(tc.body())})
			if !errors.Is(got.ReadErr, tc.want) {
				t.Errorf("the answer ended with %v, want %v", got.ReadErr, tc.want)
			}
		})
	}
}
