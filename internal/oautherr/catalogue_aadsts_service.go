// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

// Remedies for faults behind Entra.
const (
	checkFederation = "Check the identity provider that the tenant of {tenant} is federated with, and its pass-through authentication agents."
	openTicket      = "Open a ticket with those who run {host}, quoting the ids of status.lastError: asking again does not help."
	relieveProvider = "Nothing has to be changed: the operator asks {host} again; where it recurs, raise the limits of the tenant's external claims provider."
	stopLoop        = "Find what else asks {host} for the same token as {client} without keeping it, and leave {request} alone for five minutes."
	lowerRate       = "Lower the rate at which applications of the tenant of {tenant} ask for tokens; the operator asks again later by itself."
)

// aadstsService are about Entra itself and what stands behind it.
var aadstsService = []aadstsRow{
	{[]int64{50033, 90006, 90024, 90033, 90090, 90091}, Transient, false,
		"a service or directory failed in a way that passes", waitForService},
	{[]int64{90012}, Transient, false,
		"the request timed out", waitForService},
	{[]int64{50000, 70012}, Transient, false,
		"issuing the token met a server error", waitForService},
	{[]int64{50087, 50088}, Transient, false,
		"strong authentication is not available, or a telecom limit was reached", waitForService},
	{[]int64{40010, 80001, 80002, 80005, 80014}, Transient, false,
		"the federated identity provider or a pass-through agent did not work", checkFederation},
	{[]int64{40008, 50086, 90036, 90092}, Configuration, false,
		"a service behind failed in a way that does not pass", openTicket},
	{[]int64{90055}, Throttled, false,
		"the tenant is throttled", lowerRate},
	{[]int64{50196}, Throttled, false,
		"the client asked for the same token too often and is taken for a loop", stopLoop},
	{[]int64{50166}, Throttled, false,
		"the tenant's external claims provider is throttled", relieveProvider},
}
