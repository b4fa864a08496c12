// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// The token types of RFC 8693, section 3, that the simulator knows.
const (
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
	idTokenType     = "urn:ietf:params:oauth:token-type:id_token"
	jwtTokenType    = "urn:ietf:params:oauth:token-type:jwt"
)

// redeemExchange is RFC 8693, section 2.1.
func (s *Server) redeemExchange(req *request, client registered) (award, *refusal) {
	if no := checkExchange(req); no != nil {
		return award{}, no
	}
	subject, no := s.party(req, client, "subject_token")
	if no != nil {
		return award{}, no
	}
	won := award{person: &Person{Subject: subject}, issued: req.form.Get("requested_token_type")}
	if won.issued == "" {
		won.issued = accessTokenType
	}
	if req.form.Has("actor_token") {
		if won.actor, no = s.party(req, client, "actor_token"); no != nil {
			return award{}, no
		}
	}
	won.audience, no = client.targets(req)
	return won, no
}

// checkExchange checks which parameters are there, and the types.
func checkExchange(req *request) *refusal {
	if no := required(req, "subject_token", "subject_token_type"); no != nil {
		return no
	}
	if req.form.Has("actor_token") != req.form.Has("actor_token_type") {
		return invalidRequest("actor_token and actor_token_type go together")
	}
	for _, name := range []string{"subject_token_type", "actor_token_type"} {
		kind := req.form.Get(name)
		if kind != "" && !slices.Contains([]string{accessTokenType, idTokenType, jwtTokenType}, kind) {
			return invalidRequest(name + " " + strconv.Quote(kind) + " is not supported")
		}
	}
	wanted := req.form.Get("requested_token_type")
	if wanted != "" && wanted != accessTokenType && wanted != jwtTokenType {
		return invalidRequest("requested_token_type " + strconv.Quote(wanted) + " is not supported")
	}
	return nil
}

// party is whom a token is about: one that the simulator issued, of a trusted
// issuer, or registered. RFC 8693, section 2.2.2, has invalid_request for one
// that won't do, whatever the reason.
func (s *Server) party(req *request, client registered, name string) (string, *refusal) {
	text := req.form.Get(name)
	if slices.Contains(client.UserAssertions, text) {
		return "user", nil
	}
	if token, known := s.tokens.find(text); known && !token.expired(s.clock()) {
		return token.subject(), nil
	}
	if claims, no := client.checkForeign(text, s.clock()); no == nil {
		return claims.Subject, nil
	}
	return "", invalidRequest(name + " is not accepted")
}

// targets are where the token is to be used. A resource is an absolute URI
// without a fragment (RFC 8693, section 2.1).
func (c registered) targets(req *request) ([]string, *refusal) {
	for _, resource := range req.form["resource"] {
		parsed, err := url.Parse(resource)
		if err != nil || !parsed.IsAbs() || parsed.Fragment != "" {
			return nil, invalidTarget(resource)
		}
	}
	targets := slices.Concat(req.form["audience"], req.form["resource"])
	for _, target := range targets {
		if len(c.Audiences) > 0 && !slices.Contains(c.Audiences, target) {
			return nil, invalidTarget(target)
		}
	}
	return targets, nil
}

func invalidTarget(target string) *refusal {
	return &refusal{
		status: http.StatusBadRequest, code: "invalid_target", message: "target " + strconv.Quote(target) + " is not served",
	}
}

func invalidRequest(message string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request", message: message}
}
