// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package flight knows who is asking what right now: it runs calls outside the
// workers that want their results.
//
// A caller says with [Pool.Ask] what it wants and gets an answer at once:
// either the result, or [Pending], after which it goes on with other work and
// is woken when there is something to collect. Identical asks share one
// flight. The calls run in bounded numbers, per service of a domain, per domain
// and in all, and each of them takes turns with its like, so that an endpoint that
// hangs until its deadline costs only slots of its own, and never a worker. With
// each service the tenants of a domain take turns, and of each what is needed first
// starts first.
//
// A result belongs to those who waited for it. It stays theirs until they say
// with [Pool.Release] that it is safely used, because the step after a call can
// fail as well: where each retry of a failed Secret write asked the server
// anew, one conflict cost a second token (external-secrets#162). Nobody else
// gets it: whoever asks after a flight has landed starts a new one. To reuse a
// token is another decision, taken elsewhere.
package flight
