// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import "fmt"

// Message returns the message of a condition: what happened, and the Remedy. It
// depends on what stays the same from attempt to attempt only, holding no
// instants, no ids and no description, so that the same failure gives the same
// bytes and costs no write.
func (e *Error) Message(s Subject) string {
	return e.account(s) + ". " + e.Remedy(s)
}

// account says what happened.
func (e *Error) account(s Subject) string {
	host := noun(s.Host, "The token service")
	client := s.client()
	switch {
	case e.Canceled():
		return "The operator gave up a call to " + noun(s.Host, "the token service")
	case e.Class == Throttled:
		return fmt.Sprintf("%s throttles %s%s", host, client, e.parenthesis())
	case e.Reason == ReasonConnectionFailed && e.HTTPStatus != 0:
		return fmt.Sprintf("%s began to answer %s with HTTP %d and broke off: %s", host, client, e.HTTPStatus, e.detail())
	case e.Sent:
		return fmt.Sprintf("%s took the request of %s and gave no answer: %s", host, client, e.detail())
	case e.Reason == ReasonConnectionFailed:
		return fmt.Sprintf("%s could not be reached: %s", host, e.detail())
	case e.Reason == ReasonRedirectRefused:
		return fmt.Sprintf("%s answered %s with a redirect (HTTP %d), and redirects are not followed because the request carries a credential",
			host, client, e.HTTPStatus)
	case e.HTTPStatus == 0:
		return fmt.Sprintf("No token was asked of %s: %s", noun(s.Host, "the token service"), e.detail())
	case e.Code == "":
		return fmt.Sprintf("%s answered %s with HTTP %d and nothing usable: %s", host, client, e.HTTPStatus, e.detail())
	case e.pending():
		return fmt.Sprintf("%s waits for a user to authorize %s: %s%s", host, client, e.Code, e.parenthesis())
	case e.Class == Transient:
		return fmt.Sprintf("%s could not serve %s: %s%s", host, client, e.Code, e.parenthesis())
	default:
		return fmt.Sprintf("%s refused %s: %s%s", host, client, e.Code, e.parenthesis())
	}
}

// detail never leaves a sentence open, not even for an Error that was stored by
// a release that gave none.
func (e *Error) detail() string {
	if e.Detail == "" {
		return "the reason is " + string(e.Reason)
	}
	return e.Detail
}

// parenthesis holds the numbers, or the status of a throttled call.
func (e *Error) parenthesis() string {
	facts := e.numbers()
	if len(facts) == 0 && e.Class == Throttled && e.HTTPStatus != 0 {
		facts = []string{fmt.Sprintf("HTTP %d", e.HTTPStatus)}
	}
	return inParentheses(facts)
}
