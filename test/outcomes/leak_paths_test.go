// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"encoding/base64"
	"html"
	"net/url"
)

// leakPath is one way for a secret to come back: a row whose STS shows its canaries.
type leakPath struct {
	row
	canaries
}

// pathOf makes a path; build says what the STS does with the canaries.
func pathOf(name string, secret shape, build func(c canaries) row) leakPath {
	c := canariesOf(name, secret)
	r := build(c)
	r.name, r.secret = name, c.secret
	if r.calls == 0 {
		r.calls = 1
	}
	return leakPath{row: r, canaries: c}
}

// atLeastOne is for a path on which more than the request asks.
const atLeastOne = -1

// leakPaths are all of them.
func leakPaths() []leakPath {
	var all []leakPath
	for _, some := range [][]leakPath{
		memberPaths(), pagePaths(), headerPaths(), tokenPaths(), metadataPaths(), clientPaths(), wirePaths(),
		grantPaths(), devicePaths(), keyPaths(), issuerPaths(), personPaths(),
	} {
		all = append(all, some...)
	}
	return all
}

// echo is how an STS writes down what it was sent.
type echo struct {
	how string
	of  func(secret string) string
}

var echoes = []echo{
	{"as it is", func(s string) string { return s }},
	{"in base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"as in Basic", func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte(clientID + ":" + url.QueryEscape(s)))
	}},
	{"as in a form", func(s string) string { return url.Values{"client_secret": {s}}.Encode() }},
	{"as in HTML", html.EscapeString},
	{"by its first half", func(s string) string { return s[:len(s)/2] }},
	{"by its last half", func(s string) string { return s[len(s)/2:] }},
}

// calledTwice is for a path on which the STS is called twice.
func (p leakPath) calledTwice() leakPath {
	p.calls = 2
	return p
}
