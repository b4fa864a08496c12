// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The bounds of TokenRequestStatus, as its markers have them: strings in characters, lists in
// items. test/crd holds constants and schema together.
const (
	maxConditions       = 8
	maxConditionMessage = 32768 // metav1.Condition
	maxLastHandled      = 256
	maxSecretName       = 253
	maxTokenType        = 64
	maxIssuedTokenType  = 256
	maxScopes           = 64
	maxScope            = 512
	maxErrorCode        = 128
	maxErrorDescription = 512
	maxErrorCodes       = 16
	maxSuberror         = 128
	maxRemedy           = 1024
	maxClaimsChallenge  = 4096
	maxTicketID         = 64
	maxTimestamp        = 64
	maxErrorURI         = 1024
	maxAttempted        = 128
	maxUserCode         = 64
	maxVerificationURI  = 1024
)

// Bound cuts every string of the status to its schema's MaxLength and every list to its MaxItems,
// in place. The API server refuses a whole status for one string that is too long, and a refused
// status is a failure that nobody sees; what an STS says has no bounds of its own. A condition's
// type and reason are the operator's own words and stay as they are.
func (s *TokenRequestStatus) Bound() {
	s.Conditions = s.Conditions[:min(len(s.Conditions), maxConditions)]
	for i := range s.Conditions {
		s.Conditions[i].Message = cut(s.Conditions[i].Message, maxConditionMessage)
	}
	s.LastHandledRefreshAt = cut(s.LastHandledRefreshAt, maxLastHandled)
	if s.Token != nil {
		s.Token.bound()
	}
	if s.LastError != nil {
		s.LastError.bound()
	}
	if s.DeviceAuthorization != nil {
		s.DeviceAuthorization.bound()
	}
}

func (t *TokenStatus) bound() {
	t.SecretName = cut(t.SecretName, maxSecretName)
	t.TokenType = cut(t.TokenType, maxTokenType)
	t.IssuedTokenType = cut(t.IssuedTokenType, maxIssuedTokenType)
	t.Scopes = t.Scopes[:min(len(t.Scopes), maxScopes)]
	for i := range t.Scopes {
		t.Scopes[i] = cut(t.Scopes[i], maxScope)
	}
}

func (e *TokenError) bound() {
	e.Error = cut(e.Error, maxErrorCode)
	e.Description = cut(e.Description, maxErrorDescription)
	e.Codes = e.Codes[:min(len(e.Codes), maxErrorCodes)]
	e.Suberror = cut(e.Suberror, maxSuberror)
	e.Remedy = cut(e.Remedy, maxRemedy)
	e.Claims = cut(e.Claims, maxClaimsChallenge)
	e.CorrelationID = cut(e.CorrelationID, maxTicketID)
	e.TraceID = cut(e.TraceID, maxTicketID)
	e.Timestamp = cut(e.Timestamp, maxTimestamp)
	e.ErrorURI = cut(e.ErrorURI, maxErrorURI)
	e.Attempted = cut(e.Attempted, maxAttempted)
}

func (d *DeviceAuthorization) bound() {
	d.UserCode = cut(d.UserCode, maxUserCode)
	d.VerificationURI = cut(d.VerificationURI, maxVerificationURI)
	d.VerificationURIComplete = cut(d.VerificationURIComplete, maxVerificationURI)
}

// cut returns at most the first limit characters of text. The API server counts a MaxLength in
// characters too, and replaces half a character by another one.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	count := 0
	for i := range text {
		if count == limit {
			return text[:i]
		}
		count++
	}
	return text
}
