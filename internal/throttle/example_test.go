// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle_test

import (
	"fmt"
	"time"

	"tokenrequest.dev/operator/internal/throttle"
)

// wall is a clock that stands still until it is moved.
type wall struct{ now time.Time }

func (w *wall) Now() time.Time { return w.now }

func Example() {
	clock := &wall{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	cache := throttle.New[string](throttle.Limits{}, clock)
	graph := throttle.Request{
		Domain: "ns/payments", Endpoint: "https://login.example/token", ClientID: "client", Scopes: []string{"graph"},
	}

	fmt.Println(cache.Admit(graph, false).Open)

	// The server answers 429 with "Retry-After: 30".
	cache.Remember(graph, throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 30 * time.Second, Remember: "throttled"})

	clock.now = clock.now.Add(time.Second)
	v := cache.Admit(graph, false)
	fmt.Println(v.Open, v.Kind, v.Until.Format(time.TimeOnly), v.Remembered)

	elsewhere := graph
	elsewhere.Domain = "ns/orders"
	fmt.Println(cache.Admit(elsewhere, false).Open)

	clock.now = v.Until
	fmt.Println(cache.Admit(graph, false).Open)

	// Output:
	// true
	// false Rate 12:00:30 throttled
	// true
	// true
}
