// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// Action is what a rule does to a call. Status, Error and Body replace the
// answer, without looking at the client or its credential; everything else
// changes the answer, be it replaced or the service's own. Fields combine.
type Action struct {
	// Latency is how long the answer waits, in real time. It ends early when the
	// caller gives up, the rule is cleared or the server is closed.
	Latency Duration `json:"latency,omitempty"`
	// Reset reads the request and then resets the connection.
	Reset bool `json:"reset,omitempty"`

	// Status is the HTTP status. Zero is 400 with Error and 200 with Body; alone
	// it has an empty body.
	Status int `json:"status,omitempty"`
	// Error is an OAuth error in the shape of the path's service.
	Error *ErrorBody `json:"error,omitempty"`
	// Body is sent as it stands. It can't be combined with Error.
	Body string `json:"body,omitempty"`

	// Set and Drop change members of a body that is a JSON object; other bodies
	// are left alone. Set takes raw JSON, so that "1e400" can be said.
	Set  map[string]json.RawMessage `json:"set,omitempty"`
	Drop []string                   `json:"drop,omitempty"`
	// Lifetime replaces the client's; with a negative one the token has expired.
	Lifetime Duration `json:"lifetime,omitempty"`

	// Headers are set on the response, ContentType and RetryAfter after them.
	Headers     map[string]string `json:"headers,omitempty"`
	ContentType string            `json:"contentType,omitempty"`
	// RetryAfter is sent as it stands, sense or nonsense.
	RetryAfter string `json:"retryAfter,omitempty"`
	// RetryAfterDate is sent as an HTTP-date that far from now, rounded up to the
	// second; negative is in the past.
	RetryAfterDate Duration `json:"retryAfterDate,omitempty"`

	// Gzip compresses the body, whatever the request accepts.
	Gzip bool `json:"gzip,omitempty"`
	// Padding is how many spaces go before the body, in bytes.
	Padding int `json:"padding,omitempty"`
	// Truncate announces the whole body, sends half of it and closes.
	Truncate bool `json:"truncate,omitempty"`
}

// ErrorBody is an OAuth error. The plain service sends the first two fields.
type ErrorBody struct {
	// Error is the code; empty is invalid_request.
	Error string `json:"error,omitempty"`
	// Description is followed by the trace and correlation IDs with Entra.
	Description string `json:"description,omitempty"`
	Codes       []int  `json:"codes,omitempty"`
	Suberror    string `json:"suberror,omitempty"`
	Claims      string `json:"claims,omitempty"`
	// Echo appends the body of the request to the description, the credential
	// included, as services do whose debugging was left on.
	Echo bool `json:"echo,omitempty"`
}

// perform is the answer under the action.
func (s *Server) perform(req *request, action Action) answer {
	if action.Reset {
		return answer{reset: true}
	}
	req.lifetime = action.Lifetime
	var result answer
	switch {
	case action.Error != nil:
		result = s.scriptedError(req, action)
	case action.Body != "" || action.Status != 0:
		result = answer{status: action.Status, header: http.Header{}, body: []byte(action.Body)}
		result.header.Set("Content-Type", entraJSON)
		if result.status == 0 {
			result.status = http.StatusOK
		}
	default:
		result = s.natural(req)
	}
	result.body = edit(result.body, action)
	s.setHeaders(result.header, action)
	if action.Gzip {
		result.compress()
	}
	result.padding, result.truncate = action.Padding, action.Truncate
	return result
}

func (s *Server) scriptedError(req *request, action Action) answer {
	scripted := action.Error
	no := &refusal{
		status:   action.Status,
		code:     scripted.Error,
		message:  scripted.Description,
		aadsts:   scripted.Codes,
		suberror: scripted.Suberror,
		claims:   scripted.Claims,
	}
	if no.status == 0 {
		no.status = http.StatusBadRequest
	}
	if no.code == "" {
		no.code = "invalid_request"
	}
	if scripted.Echo {
		no.message += " Request: " + string(req.body)
	}
	if req.plain {
		return s.plainError(req, no)
	}
	return s.entraError(req, no)
}

// edit sets and drops members of a JSON object.
func edit(body []byte, action Action) []byte {
	if len(action.Set)+len(action.Drop) == 0 {
		return body
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil || object == nil {
		return body
	}
	maps.Copy(object, action.Set)
	for _, name := range action.Drop {
		delete(object, name)
	}
	edited, err := json.Marshal(object)
	if err != nil {
		// AddRules checked every value of Set, and the rest was parsed.
		panic(fmt.Sprintf("stssim: marshalling an edited answer: %v", err))
	}
	return edited
}

func (s *Server) setHeaders(header http.Header, action Action) {
	for name, value := range action.Headers {
		header.Set(name, value)
	}
	if action.ContentType != "" {
		header.Set("Content-Type", action.ContentType)
	}
	if action.RetryAfter != "" {
		header.Set("Retry-After", action.RetryAfter)
	}
	if action.RetryAfterDate != 0 {
		header.Set("Retry-After", httpDate(s.clock().Add(time.Duration(action.RetryAfterDate))))
	}
}

// httpDate formats an instant as RFC 9110, section 5.6.7, rounded up to its
// whole seconds, so that one who waits for it isn't early.
func httpDate(at time.Time) string {
	return ceilSecond(at).UTC().Format(http.TimeFormat)
}

func ceilSecond(at time.Time) time.Time {
	if whole := at.Truncate(time.Second); whole.Before(at) {
		return whole.Add(time.Second)
	}
	return at
}
