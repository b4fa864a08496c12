// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package flight_test

import (
	"context"
	"fmt"
	"time"

	"tokenrequest.dev/operator/internal/flight"
)

// Two workers want the same token: one call is made, both are woken, and each
// releases the result once it is safely used.
func Example() {
	woken := make(chan string)
	limits := flight.Limits{Total: 64, PerDomain: 16, PerService: 8, Keep: 5 * time.Minute, Unread: 128, Results: 10_000}
	pool := flight.New[string, string, string](limits, &stepClock{}, func(w string, _ time.Time) { woken <- w })

	ask := func(waiter string) (string, flight.State) {
		return pool.Ask(flight.Ask[string, string, string]{
			Key:     "ns/payments https://sts.example.com/token graph",
			Domain:  "ns/payments",
			Waiter:  waiter,
			Timeout: 20 * time.Second,
			Do:      func(context.Context) string { return "one token" },
		})
	}
	_, first := ask("payments/orders")
	_, second := ask("payments/refunds")
	fmt.Println(first == flight.Pending, second == flight.Pending)

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- pool.Run(ctx) }()

	for range 2 {
		waiter := <-woken
		token, state := ask(waiter)
		fmt.Println(waiter, token, state == flight.Done)
		pool.Release(waiter)
	}
	stop()
	fmt.Println(<-ended)
	// Output:
	// true true
	// payments/orders one token true
	// payments/refunds one token true
	// <nil>
}
