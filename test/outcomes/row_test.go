// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// row is one outcome: what makes a token request come to it, and what is known of it beforehand. What
// the operator then shows stands in the golden file.
type row struct {
	// name is the row's headline, and unique.
	name string
	// does is one sentence about what the STS does, or about what is wrong without it.
	does string

	// act is what the simulator does with a call of the kind asked; empty is one for a token.
	act   stssim.Action
	asked stssim.Kind
	// only restricts act to one grant_type; empty is any.
	only string
	// besides is what the simulator does with calls of another kind.
	besides map[stssim.Kind]stssim.Action
	// then is what the simulator does from the second such call on; nil goes on with act.
	then *stssim.Action
	// from starts another service than the simulator, where act can't say it; else nil.
	from func() service
	// spec changes the request; nil leaves it as it is.
	spec func(*stsv1alpha1.TokenRequest)
	// secret is the client's secret; empty leaves it to the tenant.
	secret string
	// client changes how the client is registered; nil leaves it one with a secret.
	client func(*stssim.Client)
	// meanwhile is what people do once the request is there; nil stands for nothing.
	meanwhile func(context.Context, *stop)
	// settles is Issued's reason in the outcome that is shown, where others come before; empty is the first.
	settles string
	// with are further objects, most of the request's namespace; nil stands for none.
	with func(operator.Tenant) []client.Object

	// calls is how many calls, or connections for one, arrive until the outcome is shown. Polls while
	// nobody has signed in don't count: how many there are depends on the machine.
	calls int
	// wait is when the operator asks again at the earliest; zero where no retry is planned.
	wait time.Duration
	// lives is how long the token lives where that depends on a clock, give or take a call's time.
	lives time.Duration
}

// group are rows of one subject.
type group struct {
	subject string
	about   string
	rows    []row
}

// groups are all rows, in the order of the golden file.
var groups = []group{
	{"Errors of OAuth", "A server that knows RFC 6749 and its extensions says `error` and `error_description`.", oauthRows},
	{"Microsoft Entra", "Entra adds numbers, a suberror and ids. The first line of its description stays, the ids stay apart.", entraRows},
	{"Throttling", "What an STS asks for with 429 and Retry-After.", throttleRows},
	{"Answers without OAuth", "Proxies, gateways and broken servers don't speak OAuth.", strangeRows},
	{"Answers that look like success", "A status of 2xx whose body is no token.", successRows},
	{"Tokens", "Tokens that are taken, with what the server said or didn't say of them.", tokenRows},
	{"Connections", "No answer arrives. A call whose request can't have been sent is made twice, unless the second can only end as the first did.", connectionRows},
	{"Discovery", "The issuer names an authority, whose metadata is asked for first.", discoveryRows},
	{"Tokens without a place", "A token was issued, and its Secret can't be written.", placelessRows},
	{"Signing in with a device code", "A person signs in elsewhere. The user code, which varies, stands here as BCDF-GHJK.", signInRows},
	{"Refresh tokens", "A refresh token is traded, and the next one kept in a Secret of its own.", refreshRows},
	{"Federated clients", "The client proves itself with a token of a ServiceAccount, which the STS has to trust.", federatedRows},
	{"Refused without a call", "What the operator finds by itself.", refusedRows},
	{"Key pairs", "The client signs with a key, or shows a certificate, and something is wrong with the Secret that holds them.", keyPairRows},
	{"Tokens to be traded", "What a grant trades can't be used.", tradeRows},
	{"Shared issuers", "The request names an issuer, which isn't there, or doesn't let it.", issuerRows},
}

// The nominal waits.
const (
	unavailable = 5 * time.Second // doubles while it lasts
	refused     = time.Minute     // doubles while it lasts
	propagating = 5 * time.Second // a refusal that may pass in minutes
	throttled   = time.Minute     // a 429 that doesn't say how long
	loop        = 5 * time.Minute // Entra takes the client for a loop
)

func allRows() []row {
	var all []row
	for _, g := range groups {
		all = append(all, g.rows...)
	}
	return all
}
