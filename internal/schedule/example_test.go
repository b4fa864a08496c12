// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package schedule_test

import (
	"fmt"
	"time"

	"tokenrequest.dev/operator/internal/schedule"
)

func Example() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	plan := schedule.RefreshAt(schedule.Token{IssuedAt: now, Lifetime: time.Hour}, "6a2f41a3-c54c-11e5-b1d8-0242ac110002")
	facts := schedule.Facts{
		SecretFound: true, Intact: true, Matches: true,
		RefreshAt: plan, ExpiresAt: now.Add(time.Hour),
	}

	waiting := schedule.Decide(facts, now)
	fmt.Println(waiting.Due, waiting.Why, waiting.At.Format(time.TimeOnly))

	due := schedule.Decide(facts, plan)
	fmt.Println(due.Due, due.Why)

	// The attempt failed; the token is good for some more minutes, then readiness has to end, retry or not.
	facts.Retry = &schedule.Retry{At: now.Add(70 * time.Minute)}
	failing := schedule.Decide(facts, plan)
	fmt.Println(failing.Due, failing.Why, failing.Step, failing.At.Format(time.TimeOnly))

	// Output:
	// false Nothing 12:40:24
	// true NearExpiry
	// false Backoff Expiry 13:00:00
}
