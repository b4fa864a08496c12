// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

// tokenRows are tokens that are taken.
var tokenRows = []row{
	given("A token of Entra's", "Entra issues a token for 3599 seconds.", stssim.Action{}),
	given("expires_in as a string", "`expires_in` is a string, as in Entra's version 1.", token("expires_in", `"3599"`)),
	given("expires_in with a fraction", "`expires_in` is 3599.9.", token("expires_in", "3599.9")),
	{name: "No expires_in, and a JWT", does: "`expires_in` is missing; the token is a JWT whose `exp` is an hour away.",
		act: stssim.Action{Drop: []string{"expires_in"}, Lifetime: stssim.Duration(time.Hour)}, calls: 1, lives: time.Hour},
	given("No expires_in, and an opaque token", "`expires_in` is missing, and the token doesn't tell.", stssim.Action{Body: goodToken, Drop: []string{"expires_in"}}),
	given("expires_in of zero", "`expires_in` is 0.", token("expires_in", "0")),
	given("A negative expires_in", "`expires_in` is -1.", token("expires_in", "-1")),
	given("Garbage for expires_in", "`expires_in` is \"never\".", token("expires_in", `"never"`)),
	given("expires_in of a century", "`expires_in` is 3153600000.", token("expires_in", "3153600000")),
	given("expires_in beyond all numbers", "`expires_in` is 1e400.", token("expires_in", "1e400")),
	given("An early refresh", "`refresh_in` is 600 in a token of an hour.", token("refresh_in", "600")),
	given("Fewer scopes than asked for", "The STS grants the scope `read`.", token("scope", `"read"`)),
	given("JSON labelled as UTF-16", "The STS labels its UTF-8 as UTF-16.", stssim.Action{Body: goodToken, ContentType: "application/json; charset=utf-16"}),
	given("JSON labelled as plain text", "The STS labels its JSON as plain text.", stssim.Action{Body: goodToken, ContentType: "text/plain"}),
	given("A byte order mark", "A byte order mark precedes the JSON.", stssim.Action{Body: "\ufeff" + goodToken}),
}

func given(name, does string, act stssim.Action) row {
	return row{name: name, does: does, act: act, calls: 1}
}
