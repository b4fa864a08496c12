// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"

	"tokenrequest.dev/operator/test/stssim"
)

// members are those of an error, each with something that it shows.
var members = []struct {
	name   string
	secret shape
	value  func(echoed string) any
}{
	{"error", word, func(s string) any { return s }},
	{"error_description", spiced, func(s string) any { return "You sent " + s + " to us." }},
	{"error_description", word, func(s string) any { return s }},
	{"error_uri", word, func(s string) any { return "https://sts.example/error?secret=" + url.QueryEscape(s) }},
	{"suberror", word, func(s string) any { return s }},
	{"claims", spiced, func(s string) any { return marshal(map[string]any{"access_token": map[string]any{"value": s}}) }},
	{"trace_id", word, func(s string) any { return s }},
	{"correlation_id", word, func(s string) any { return s }},
	{"timestamp", digits, func(s string) any { return s }},
	{"error_codes", digits, func(s string) any { return []string{s} }},
	{"unknown", spiced, func(s string) any { return s }},
	{"nested", spiced, func(s string) any { return map[string]any{"inner": []any{s, map[string]any{"error_description": s}}} }},
}

// memberPaths are members of an error that show the secret.
func memberPaths() []leakPath {
	var paths []leakPath
	for _, member := range members {
		for _, echo := range echoes {
			name := fmt.Sprintf("%s shows a secret of %s %s", member.name, spelling(member.secret), echo.how)
			paths = append(paths, pathOf(name, member.secret, func(c canaries) row {
				body := map[string]any{"error": "invalid_client", "error_description": "no"}
				body[member.name] = member.value(echo.of(c.secret))
				return row{act: stssim.Action{Status: http.StatusUnauthorized, Body: marshal(body)}}
			}))
		}
	}
	return append(paths,
		pathOf("error_description is the whole form", spiced, func(canaries) row {
			return row{act: stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_request", Description: "Cannot read:", Echo: true}}}
		}),
		pathOf("error_description ends within the secret", word, func(c canaries) row {
			return describing(strings.Repeat("x", 490) + " " + c.secret)
		}),
		pathOf("error_description shows an assertion", word, func(c canaries) row { return describing("Assertion " + c.assertion + " has expired.") }),
		pathOf("error_description shows half of an assertion", word, func(c canaries) row {
			return describing("Assertion " + c.assertion[:len(c.assertion)/2])
		}),
	)
}

// spelling names a shape.
func spelling(secret shape) string {
	sample := secret("")
	switch sample {
	case word(""):
		return "letters"
	case digits(""):
		return "digits"
	default:
		return "signs"
	}
}

// describing is an error with a description.
func describing(description string) row {
	return row{act: stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_request", Description: description}}}
}

func marshal(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// pagePaths are bodies that aren't OAuth's and show the request.
func pagePaths() []leakPath {
	form := func(c canaries) string {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {c.secret}}.Encode()
	}
	var paths []leakPath
	for _, page := range []struct {
		status int
		media  string
		body   func(c canaries) string
	}{
		{http.StatusInternalServerError, "text/html", func(c canaries) string { return "<pre>" + html.EscapeString(form(c)) + "</pre>" }},
		{http.StatusInternalServerError, "text/plain", func(c canaries) string { return "panic: " + c.secret }},
		{http.StatusBadRequest, "text/plain", form},
		{http.StatusTooManyRequests, "text/plain", form},
		{http.StatusTooManyRequests, "application/json", func(c canaries) string {
			return marshal(map[string]any{"error": "slow_down", "error_description": "You sent " + c.secret})
		}},
		{http.StatusServiceUnavailable, "application/json", func(c canaries) string {
			return marshal(map[string]any{"error": "server_error", "error_description": "You sent " + c.secret})
		}},
		{http.StatusNotFound, "application/json", func(c canaries) string { return marshal([]string{c.secret}) }},
	} {
		paths = append(paths, pathOf(fmt.Sprintf("%d in %s shows the form", page.status, page.media), spiced, func(c canaries) row {
			return row{act: stssim.Action{Status: page.status, Body: page.body(c), ContentType: page.media}}
		}))
	}
	return paths
}

// headerPaths are fields of a response's header that show the secret.
func headerPaths() []leakPath {
	var paths []leakPath
	for _, field := range []struct {
		name, format string
		secret       shape
		status       int
	}{
		{"X-Ms-Request-Id", "%s", word, http.StatusTooManyRequests},
		{"Client-Request-Id", "%s", word, http.StatusTooManyRequests},
		{"WWW-Authenticate", `Basic realm="%s"`, word, http.StatusUnauthorized},
		{"WWW-Authenticate", `Bearer error="%s"`, word, http.StatusUnauthorized},
		{"WWW-Authenticate", `Bearer error="invalid_token", error_description="You sent %s"`, word, http.StatusUnauthorized},
		{"WWW-Authenticate", `Bearer error="invalid_token", error_uri="https://sts.example/%s"`, word, http.StatusUnauthorized},
		{"WWW-Authenticate", `Bearer error="insufficient_claims", claims="%s"`, word, http.StatusUnauthorized},
		{"WWW-Authenticate", "%s", word, http.StatusUnauthorized},
		{"Location", "https://elsewhere.example/?client_secret=%s", word, http.StatusFound},
		{"Retry-After", "%s", word, http.StatusServiceUnavailable},
		{"Retry-After", "%s", digits, http.StatusServiceUnavailable},
		{"Set-Cookie", "session=%s", word, http.StatusBadRequest},
		{"Content-Type", "text/%s", word, http.StatusBadRequest},
		{"Content-Encoding", "%s", word, http.StatusOK},
		{"Date", "%s", word, http.StatusServiceUnavailable},
		{"Server", "%s", word, http.StatusBadGateway},
	} {
		for _, echo := range []echo{echoes[0], echoes[1], echoes[5], echoes[6]} {
			name := fmt.Sprintf("%s of %s in %d shows a secret of %s %s", field.name, fmt.Sprintf(field.format, "…"), field.status, spelling(field.secret), echo.how)
			paths = append(paths, pathOf(name, field.secret, func(c canaries) row {
				return row{act: stssim.Action{Status: field.status, Headers: map[string]string{field.name: fmt.Sprintf(field.format, echo.of(c.secret))}}}
			}))
		}
	}
	return append(paths, pathOf("WWW-Authenticate shows the secret in base64 claims", word, func(c canaries) row {
		challenge := base64.StdEncoding.EncodeToString([]byte(marshal(map[string]any{"access_token": map[string]any{"value": c.secret}})))
		return row{act: stssim.Action{Status: http.StatusUnauthorized,
			Headers: map[string]string{"WWW-Authenticate": `Bearer error="insufficient_claims", claims="` + challenge + `"`}}}
	}))
}
