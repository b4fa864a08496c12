// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package oautherr is the OAuth error model: what a token request met, why, and
// what a person can do about it.
//
// It is the only package that reads an HTTP status. [FromResponse] and
// [FromTransport] are total: every answer and every broken connection becomes
// one *[Error] with a [Class], a [Reason] and a [Kind], and never a Go error
// that quotes what a server sent.
//
// A token service is taken for hostile. An Error holds whitelisted fields only,
// each bounded and free of control characters; nothing else of a response body
// leaves the package, because conditions, events, logs and the stored throttle
// state are all made of Errors (external-secrets#5884: a JSON error carried a
// secret into a condition).
package oautherr

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Error is what one attempt to get a token met. Every string is bounded, valid
// UTF-8 and free of control characters. The zero value means nothing; the
// constructors of this package make Errors, and JSON restores stored ones with
// the same bounds.
type Error struct {
	// Class says who can help.
	Class Class `json:"class,omitempty"`
	// Reason is the condition reason, one of Reasons.
	Reason Reason `json:"reason,omitempty"`

	// Code is the `error` member (RFC 6749 section 5.2) as the server wrote it,
	// at most 128 bytes; empty when the answer had none.
	Code string `json:"code,omitempty"`
	// Description is the first line of `error_description`, at most 512 bytes,
	// without trace ids, correlation ids and instants.
	Description string `json:"description,omitempty"`
	// Codes holds the first eight of `error_codes`, or the AADSTS number of the
	// description where that member is absent.
	Codes []int64 `json:"codes,omitempty"`
	// Suberror is Entra's `suberror`, at most 64 bytes.
	Suberror string `json:"suberror,omitempty"`
	// Claims is the claims challenge, a JSON object of at most 4096 bytes. A
	// longer or malformed one is dropped, since half a challenge is useless.
	Claims string `json:"claims,omitempty"`
	// ErrorURI is an http or https URL of at most 512 bytes.
	ErrorURI string `json:"errorURI,omitempty"`
	// CorrelationID, TraceID and Timestamp identify the attempt to the server's
	// operators. They change with each attempt and never stand in a Message.
	CorrelationID string `json:"correlationID,omitempty"`
	TraceID       string `json:"traceID,omitempty"`
	Timestamp     string `json:"timestamp,omitempty"`

	// Detail is the operator's own account of a failure that the server did not
	// explain, at most 256 bytes; never text of a response.
	Detail string `json:"detail,omitempty"`

	// HTTPStatus is 0 when there was no response.
	HTTPStatus int `json:"httpStatus,omitempty"`
	// RetryAfter is what the server asked for, counted from the arrival of its
	// answer: whole seconds, at most MaxRetryAfter. 0 means that it said nothing
	// usable.
	RetryAfter time.Duration `json:"retryAfter,omitempty"`
	// Sent says of a connection that failed that the request had left before, so
	// that the server may have acted on it.
	Sent bool `json:"sent,omitempty"`
	// Propagating says that the refusal may come from an administrator's recent
	// change that has not reached every server yet, so that asking again within
	// some minutes makes sense.
	Propagating bool `json:"propagating,omitempty"`
}

// Error returns the reason, the server's code or our detail, the HTTP status,
// the AADSTS numbers and the correlation id. It is safe for logs and leaves the
// description out.
func (e *Error) Error() string {
	var facts []string
	if e.HTTPStatus != 0 {
		facts = append(facts, fmt.Sprintf("HTTP %d", e.HTTPStatus))
	}
	facts = append(facts, e.numbers()...)
	if e.CorrelationID != "" {
		facts = append(facts, "correlation id "+e.CorrelationID)
	}
	said := slices.DeleteFunc([]string{string(e.Reason), e.Code, e.Detail}, func(s string) bool { return s == "" })
	return strings.Join(said, ": ") + inParentheses(facts)
}

// Canceled reports that the caller gave up before an answer arrived. It says
// nothing about the server, so nobody remembers it.
func (e *Error) Canceled() bool {
	return e.Class == Client && e.Reason == ReasonConnectionFailed
}

// stored is an Error as people read it in the ConfigMap: a duration has its unit.
type stored struct {
	*plain
	RetryAfter string `json:"retryAfter,omitempty"`
}

// plain is an Error without its methods.
type plain Error

// MarshalJSON writes the fields as they are named, and RetryAfter in seconds, as in "60s".
func (e *Error) MarshalJSON() ([]byte, error) {
	s := stored{plain: (*plain)(e)}
	if e.RetryAfter > 0 {
		s.RetryAfter = fmt.Sprintf("%ds", e.RetryAfter/time.Second)
	}
	return json.Marshal(s)
}

// UnmarshalJSON restores a stored Error. What is restored is bounded as if it
// had just arrived, and a class or reason of another release becomes one that
// this release knows, because the API refuses a condition with any other.
func (e *Error) UnmarshalJSON(data []byte) error {
	s := stored{plain: (*plain)(e)}
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("decoding a stored OAuth error: %w", err)
	}
	// What can't be read is as good as nothing said: the gate itself says until when.
	e.RetryAfter, _ = time.ParseDuration(s.RetryAfter)
	if !e.Class.known() {
		e.Class = Transient
	}
	if !e.Reason.known() {
		e.Reason = ReasonUnknownError
	}
	e.bound()
	return nil
}

func inParentheses(facts []string) string {
	if len(facts) == 0 {
		return ""
	}
	return " (" + strings.Join(facts, ", ") + ")"
}

// numbers returns the codes as Entra's documentation writes them.
func (e *Error) numbers() []string {
	var names []string
	for _, n := range e.Codes {
		names = append(names, aadstsPrefix+strconv.FormatInt(n, 10))
	}
	return names
}
