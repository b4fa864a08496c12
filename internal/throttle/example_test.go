// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle_test

import (
	"fmt"
	"time"

	"tokenrequest.dev/operator/internal/throttle"
)

func Example() {
	cache := throttle.New[string](throttle.Limits{})
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	graph := throttle.Request{
		Domain: "ns/payments", Endpoint: "https://login.example/token", ClientID: "client", Scopes: []string{"graph"},
	}

	fmt.Println(cache.Admit(graph, now, false).Open)

	// The server answers 429 with "Retry-After: 30".
	cache.Remember(graph, throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 30 * time.Second, Remember: "throttled"}, now)

	v := cache.Admit(graph, now.Add(time.Second), false)
	fmt.Println(v.Open, v.Kind, v.Until.Format(time.TimeOnly), v.Remembered)

	elsewhere := graph
	elsewhere.Domain = "ns/orders"
	fmt.Println(cache.Admit(elsewhere, now, false).Open)

	fmt.Println(cache.Admit(graph, v.Until, false).Open)

	// Output:
	// true
	// false Rate 12:00:30 throttled
	// true
	// true
}
