// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"unicode/utf16"

	"tokenrequest.dev/operator/test/stssim"
)

const goodToken = `{"access_token":"an-opaque-token","token_type":"Bearer","expires_in":3600}`

// successRows are answers of 2xx that hold no token, or none that can be taken.
var successRows = []row{
	useless("An HTML page", "The STS answers 200 with an HTML page, as sign-in pages do.", page),
	useless("An empty object", "The STS answers 200 with `{}`.", stssim.Action{Body: "{}"}),
	useless("A list", "The STS answers 200 with a list.", stssim.Action{Body: "[" + goodToken + "]"}),
	useless("null", "The STS answers 200 with `null`.", stssim.Action{Body: "null"}),
	useless("An empty body", "The STS answers 200 with an empty body.", stssim.Action{Status: http.StatusOK}),
	useless("No content", "The STS answers 204.", stssim.Action{Status: http.StatusNoContent}),
	{name: "An error in a 200", does: "The STS answers 200 with `invalid_grant`.",
		act:   stssim.Action{Status: http.StatusOK, Error: &stssim.ErrorBody{Error: "invalid_grant", Description: "Refused with a smile"}},
		calls: 1, wait: refused},
	useless("An error that is no string", "The STS answers 200 with `error` as an object.", stssim.Action{Body: `{"error":{"code":7}}`}),
	useless("A token without a type", "The STS answers 200 with a token and no `token_type`.", stssim.Action{Drop: []string{"token_type"}}),
	useless("A token with a control character", "The STS answers 200 with a line feed in `access_token`.", token("access_token", `"abc\ndef"`)),
	useless("A token that is a number", "The STS answers 200 with a number for `access_token`.", token("access_token", "12345")),
	useless("Two tokens", "The STS answers 200 with `access_token` twice.", stssim.Action{
		Body: `{"access_token":"first","access_token":"second","token_type":"Bearer","expires_in":3600}`}),
	useless("A truncated body", "The connection ends after half of the body.", stssim.Action{Truncate: true}),
	useless("A body of 2 MiB", "The STS sends a token behind 2 MiB of spaces.", stssim.Action{Padding: 2 << 20}),
	useless("A body in UTF-16", "The STS sends a token in UTF-16.", stssim.Action{Body: inUTF16(goodToken), ContentType: "application/json; charset=utf-16"}),
	useless("A compressed body", "The STS compresses a token with gzip, which nobody asked for.", stssim.Action{Gzip: true}),
	useless("A token and more", "The STS sends something behind the JSON of a token.", stssim.Action{Body: goodToken + "<!-- 0.02 s -->"}),
}

func useless(name, does string, act stssim.Action) row {
	return row{name: name, does: does, act: act, calls: 1, wait: unavailable}
}

// token is a token response with one member changed.
func token(name, value string) stssim.Action {
	act := member(name, value)
	act.Body = goodToken
	return act
}

// member changes one member of what the simulator would answer.
func member(name, value string) stssim.Action {
	return stssim.Action{Set: map[string]json.RawMessage{name: json.RawMessage(value)}}
}

func inUTF16(text string) string {
	body := []byte{0xfe, 0xff}
	for _, unit := range utf16.Encode([]rune(text)) {
		body = binary.BigEndian.AppendUint16(body, unit)
	}
	return string(body)
}
