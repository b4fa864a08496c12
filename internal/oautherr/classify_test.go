// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

func answer(status int, members string) oautherr.Response {
	return oautherr.Response{Status: status, Body: []byte("{" + members + "}")}
}

// TestEveryErrorValue classifies each `error` as it arrives with its usual status.
func TestEveryErrorValue(t *testing.T) {
	tests := []struct {
		code      string
		status    int
		class     oautherr.Class
		reason    oautherr.Reason
		kind      oautherr.Kind
		permanent bool
	}{
		{"invalid_request", 400, oautherr.Configuration, oautherr.ReasonInvalidRequest, oautherr.KindRefused, true},
		{"invalid_client", 401, oautherr.Credential, oautherr.ReasonInvalidClient, oautherr.KindRefused, true},
		{"invalid_grant", 400, oautherr.Credential, oautherr.ReasonInvalidGrant, oautherr.KindRefused, true},
		{"unauthorized_client", 400, oautherr.Configuration, oautherr.ReasonUnauthorizedClient, oautherr.KindRefused, true},
		{"unsupported_grant_type", 400, oautherr.Configuration, oautherr.ReasonUnsupportedGrantType, oautherr.KindRefused, true},
		{"unsupported_response_type", 400, oautherr.Client, oautherr.ReasonInvalidRequest, oautherr.KindRefused, true},
		{"invalid_scope", 400, oautherr.Configuration, oautherr.ReasonInvalidScope, oautherr.KindRefused, true},
		{"invalid_target", 400, oautherr.Configuration, oautherr.ReasonInvalidTarget, oautherr.KindRefused, true},
		{"invalid_resource", 400, oautherr.Configuration, oautherr.ReasonInvalidResource, oautherr.KindRefused, true},
		{"interaction_required", 400, oautherr.InteractionRequired, oautherr.ReasonInteractionRequired, oautherr.KindRefused, true},
		{"login_required", 400, oautherr.InteractionRequired, oautherr.ReasonLoginRequired, oautherr.KindRefused, true},
		{"consent_required", 400, oautherr.Permission, oautherr.ReasonConsentRequired, oautherr.KindRefused, true},
		{"access_denied", 403, oautherr.Permission, oautherr.ReasonAccessDenied, oautherr.KindRefused, true},
		{"server_error", 400, oautherr.Transient, oautherr.ReasonServerError, oautherr.KindUnavailable, false},
		{"temporarily_unavailable", 400, oautherr.Transient, oautherr.ReasonTemporarilyUnavailable, oautherr.KindUnavailable, false},
		{"authorization_pending", 400, oautherr.InteractionRequired, oautherr.ReasonAuthorizationPending, oautherr.KindPending, false},
		{"slow_down", 400, oautherr.InteractionRequired, oautherr.ReasonSlowDown, oautherr.KindPending, false},
		{"authorization_declined", 400, oautherr.InteractionRequired, oautherr.ReasonAuthorizationDeclined, oautherr.KindRefused, true},
		{"bad_verification_code", 400, oautherr.InteractionRequired, oautherr.ReasonBadVerificationCode, oautherr.KindRefused, true},
		{"expired_token", 400, oautherr.InteractionRequired, oautherr.ReasonExpiredToken, oautherr.KindRefused, true},
		{"code_expired", 400, oautherr.InteractionRequired, oautherr.ReasonExpiredToken, oautherr.KindRefused, true},
		{"invalid_instance", 400, oautherr.Configuration, oautherr.ReasonInvalidInstance, oautherr.KindRefused, true},
		{"insufficient_claims", 401, oautherr.InteractionRequired, oautherr.ReasonInteractionRequired, oautherr.KindRefused, true},
		{"invalid_token", 401, oautherr.Credential, oautherr.ReasonInvalidGrant, oautherr.KindRefused, true},
		{"jti_known", 400, oautherr.Credential, oautherr.ReasonInvalidGrant, oautherr.KindRefused, true},
		{"insufficient_scope", 403, oautherr.Permission, oautherr.ReasonInvalidScope, oautherr.KindRefused, true},
		{"request_throttled", 400, oautherr.Throttled, oautherr.ReasonThrottled, oautherr.KindRateLimited, false},
		{"request_timeout", 400, oautherr.Transient, oautherr.ReasonServerError, oautherr.KindUnavailable, false},
		{"service_not_available", 400, oautherr.Transient, oautherr.ReasonTemporarilyUnavailable, oautherr.KindUnavailable, false},
		{"non_parsable_oauth_error", 400, oautherr.Transient, oautherr.ReasonMalformedResponse, oautherr.KindUnavailable, false},
		{"http_status_not_200", 400, oautherr.Transient, oautherr.ReasonMalformedResponse, oautherr.KindUnavailable, false},
		{"not_found", 404, oautherr.Configuration, oautherr.ReasonMalformedResponse, oautherr.KindUnavailable, false},
		{"an_invention", 400, oautherr.Configuration, oautherr.ReasonUnknownError, oautherr.KindRefused, false},
		{"an_invention", 401, oautherr.Credential, oautherr.ReasonUnknownError, oautherr.KindRefused, false},
		{"an_invention", 403, oautherr.Permission, oautherr.ReasonUnknownError, oautherr.KindRefused, false},
		{"an_invention", 408, oautherr.Transient, oautherr.ReasonUnknownError, oautherr.KindUnavailable, false},
		{"an_invention", 500, oautherr.Transient, oautherr.ReasonUnknownError, oautherr.KindUnavailable, false},
		{"Invalid_Client", 400, oautherr.Configuration, oautherr.ReasonUnknownError, oautherr.KindRefused, false},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s with %d", test.code, test.status), func(t *testing.T) {
			e := oautherr.FromResponse(answer(test.status, fmt.Sprintf(`"error":%q`, test.code)), arrival)
			if e.Class != test.class || e.Reason != test.reason {
				t.Errorf("class and reason = %s, %s; want %s, %s", e.Class, e.Reason, test.class, test.reason)
			}
			if e.Kind() != test.kind || e.Permanent() != test.permanent {
				t.Errorf("kind and permanence = %s, %v; want %s, %v", e.Kind(), e.Permanent(), test.kind, test.permanent)
			}
		})
	}
}

func TestInvalidGrantDependsOnWhatWasTraded(t *testing.T) {
	tests := map[string]struct {
		grant   oautherr.Grant
		members string
		want    oautherr.Class
	}{
		"a user signs in again":                                        {oautherr.GrantUser, ``, oautherr.InteractionRequired},
		"a user whose code is spent signs in again":                    {oautherr.GrantDevice, ``, oautherr.InteractionRequired},
		"an assertion is replaced":                                     {oautherr.GrantAssertion, ``, oautherr.Credential},
		"a client without a grant has its credential only":             {oautherr.GrantClient, ``, oautherr.Credential},
		"a refresh token of another client needs no user":              {oautherr.GrantUser, `,"suberror":"client_mismatch"`, oautherr.Configuration},
		"a protection policy is the administrator's":                   {oautherr.GrantUser, `,"suberror":"protection_policy_required"`, oautherr.Permission},
		"consent is the administrator's":                               {oautherr.GrantUser, `,"suberror":"consent_required"`, oautherr.Permission},
		"a bad token of a user means a new sign-in":                    {oautherr.GrantUser, `,"suberror":"bad_token"`, oautherr.InteractionRequired},
		"a bad assertion is replaced":                                  {oautherr.GrantAssertion, `,"suberror":"bad_token"`, oautherr.Credential},
		"an action of the user is asked for even behind an assertion":  {oautherr.GrantAssertion, `,"suberror":"basic_action"`, oautherr.InteractionRequired},
		"a challenge is for the user even behind an assertion":         {oautherr.GrantAssertion, `,"claims":"{}"`, oautherr.InteractionRequired},
		"a policy that only shows a message is shown to the user":      {oautherr.GrantUser, `,"suberror":"message_only"`, oautherr.InteractionRequired},
		"a policy that only shows a message has nobody to show it to":  {oautherr.GrantClient, `,"suberror":"message_only"`, oautherr.Permission},
		"the loop that Entra sees is throttling, not a lost sign-in":   {oautherr.GrantUser, `,"error_codes":[50196]`, oautherr.Throttled},
		"a throttled tenant is throttling":                             {oautherr.GrantUser, `,"error_codes":[90055]`, oautherr.Throttled},
		"no other number changes the class, not even one about a user": {oautherr.GrantAssertion, `,"error_codes":[50076]`, oautherr.Credential},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			response := answer(400, `"error":"invalid_grant"`+test.members)
			response.Grant = test.grant
			if got := oautherr.FromResponse(response, arrival); got.Class != test.want {
				t.Errorf("class = %s, want %s", got.Class, test.want)
			}
		})
	}
}

// RFC 8628 section 3.5, and what Entra says instead.
func TestAnswersToADevicePoll(t *testing.T) {
	tests := map[string]struct {
		status int
		code   string
		reason oautherr.Reason
		kind   oautherr.Kind
		remedy string
	}{
		"a user who is still typing is waited for":      {400, "authorization_pending", oautherr.ReasonAuthorizationPending, oautherr.KindPending, "Sign in with the user code"},
		"a status of its own changes nothing":           {428, "authorization_pending", oautherr.ReasonAuthorizationPending, oautherr.KindPending, "Sign in with the user code"},
		"a poll that came too early is waited for":      {400, "slow_down", oautherr.ReasonSlowDown, oautherr.KindPending, "Sign in with the user code"},
		"a code that expired needs a new one":           {400, "expired_token", oautherr.ReasonExpiredToken, oautherr.KindRefused, "Annotate"},
		"a user who said no may say yes to another":     {400, "access_denied", oautherr.ReasonAccessDenied, oautherr.KindRefused, "Annotate"},
		"a user who said no in Entra's words likewise":  {400, "authorization_declined", oautherr.ReasonAuthorizationDeclined, oautherr.KindRefused, "Annotate"},
		"a code that nobody knows needs a new one":      {400, "bad_verification_code", oautherr.ReasonBadVerificationCode, oautherr.KindRefused, "Annotate"},
		"a code that was used already needs a new user": {400, "invalid_grant", oautherr.ReasonInvalidGrant, oautherr.KindRefused, "Have the user sign in again"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			response := answer(test.status, `"error":"`+test.code+`"`)
			response.Grant = oautherr.GrantDevice
			got := oautherr.FromResponse(response, arrival)
			if got.Class != oautherr.InteractionRequired || got.Reason != test.reason || got.Kind() != test.kind {
				t.Errorf("class, reason and kind = %s, %s, %s", got.Class, got.Reason, got.Kind())
			}
			for _, grant := range []oautherr.Grant{oautherr.GrantDevice, oautherr.GrantUser} {
				if remedy := got.Remedy(oautherr.Subject{Grant: grant}); !strings.HasPrefix(remedy, test.remedy) {
					t.Errorf("remedy = %q", remedy)
				}
			}
		})
	}
	t.Run("what is denied to others than a device is the administrator's", func(t *testing.T) {
		response := answer(400, `"error":"access_denied"`)
		response.Grant = oautherr.GrantUser
		if got := oautherr.FromResponse(response, arrival); got.Class != oautherr.Permission {
			t.Errorf("class = %s", got.Class)
		}
	})
}

func TestAnUnknownErrorWithAChallengeIsForTheUser(t *testing.T) {
	for _, member := range []string{`"claims":"{}"`, `"suberror":"additional_action"`} {
		e := oautherr.FromResponse(answer(400, `"error":"an_invention",`+member), arrival)
		if e.Class != oautherr.InteractionRequired || e.Reason != oautherr.ReasonUnknownError {
			t.Errorf("%s: class and reason = %s, %s", member, e.Class, e.Reason)
		}
	}
}

func TestKindAndPermanence(t *testing.T) {
	tests := map[string]struct {
		err       *oautherr.Error
		kind      oautherr.Kind
		permanent bool
	}{
		"429 is rate limited without Retry-After": {
			oautherr.FromResponse(oautherr.Response{Status: 429}, arrival), oautherr.KindRateLimited, false},
		"503 with Retry-After is rate limited": {
			oautherr.FromResponse(oautherr.Response{Status: 503, Header: retryAfter("1")}, arrival), oautherr.KindRateLimited, false},
		"503 with a Retry-After of nothing is unavailable": {
			oautherr.FromResponse(oautherr.Response{Status: 503, Header: retryAfter("0")}, arrival), oautherr.KindUnavailable, false},
		"a wrong secret with Retry-After is a refusal all the same": {
			oautherr.FromResponse(oautherr.Response{Status: 401, Header: retryAfter("9"), Body: []byte(`{"error":"invalid_client"}`)}, arrival),
			oautherr.KindRefused, true},
		"a refusal with 500 and Retry-After waits as told": {
			oautherr.FromResponse(oautherr.Response{Status: 500, Header: retryAfter("9"), Body: []byte(`{"error":"invalid_client"}`)}, arrival),
			oautherr.KindRateLimited, false},
		"a malformed 200 with Retry-After waits as told": {
			oautherr.FromResponse(oautherr.Response{Status: 200, Header: retryAfter("9")}, arrival), oautherr.KindRateLimited, false},
		"a pending sign-in with Retry-After keeps polling": {
			&oautherr.Error{Class: oautherr.InteractionRequired, Reason: oautherr.ReasonAuthorizationPending, HTTPStatus: 400, RetryAfter: time.Second},
			oautherr.KindPending, false},
		"a pending sign-in with 429 is rate limited": {
			oautherr.FromResponse(oautherr.Response{Status: 429, Body: []byte(`{"error":"authorization_pending"}`)}, arrival),
			oautherr.KindRateLimited, false},
		"a bare 401 is remembered like one that says invalid_client": {
			oautherr.FromResponse(oautherr.Response{Status: 401}, arrival), oautherr.KindRefused, false},
		"404 without OAuth may be a proxy before a restarting server": {
			oautherr.FromResponse(oautherr.Response{Status: 404}, arrival), oautherr.KindUnavailable, false},
		"a refusal with 500 is not believed to be for good": {
			oautherr.FromResponse(answer(500, `"error":"invalid_client"`), arrival), oautherr.KindUnavailable, false},
		"a redirect needs another address": {
			oautherr.FromResponse(oautherr.Response{Status: 302}, arrival), oautherr.KindUnavailable, true},
		"a refusal that may be a change on its way is not permanent": {
			oautherr.FromResponse(answer(401, `"error":"invalid_client","error_codes":[7000215]`), arrival), oautherr.KindRefused, false},
		"a host that is not allowed needs another spec": {
			oautherr.Refused(oautherr.ReasonEndpointRefused, "the host is not allowed"), oautherr.KindRefused, true},
		"a token answer that is none is unavailability": {
			oautherr.Malformed("it has no access_token"), oautherr.KindUnavailable, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.err.Kind(); got != test.kind {
				t.Errorf("Kind() = %q, want %q", got, test.kind)
			}
			if got := test.err.Permanent(); got != test.permanent {
				t.Errorf("Permanent() = %v, want %v", got, test.permanent)
			}
		})
	}
}

func TestPropagation(t *testing.T) {
	tests := map[string]struct {
		status  int
		members string
		want    bool
	}{
		"a wrong secret may be a new one":                {401, `"error":"invalid_client","error_codes":[7000215]`, true},
		"an expired secret stays expired":                {401, `"error":"invalid_client","error_codes":[7000222]`, false},
		"a missing federated credential may be new":      {401, `"error":"invalid_client","error_codes":[700213]`, true},
		"a longer number counts as the one it begins by": {401, `"error":"invalid_client","error_codes":[70021199]`, true},
		"without a number nothing says that it passes":   {401, `"error":"invalid_client"`, false},
		"a throttled call says nothing of a change":      {429, `"error":"invalid_client","error_codes":[7000215]`, false},
		"an outage says nothing of a change":             {503, `"error":"server_error","error_codes":[7000215]`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := oautherr.FromResponse(answer(test.status, test.members), arrival).Propagating; got != test.want {
				t.Errorf("Propagating = %v, want %v", got, test.want)
			}
		})
	}
}

// TestWhoHasToAct shows that Conditional Access always calls for a person, as
// whichever `error` Entra reports it, and that its numbers change no class.
func TestWhoHasToAct(t *testing.T) {
	for _, c := range []struct {
		members     string
		status      int
		class       oautherr.Class
		interaction bool
	}{
		{`"error":"interaction_required"`, 400, oautherr.InteractionRequired, true},
		{`"error":"interaction_required","error_codes":[50076]`, 400, oautherr.InteractionRequired, true},
		{`"error":"invalid_grant","error_codes":[53003]`, 400, oautherr.Credential, true},
		{`"error":"access_denied","error_codes":[53000]`, 403, oautherr.Permission, true},
		{`"error":"access_denied","error_codes":[530032]`, 403, oautherr.Permission, true},
		{`"error":"access_denied","error_codes":[5300321]`, 403, oautherr.Permission, true},
		{`"error":"access_denied","error_codes":[50131]`, 403, oautherr.Permission, false},
		{`"error":"access_denied","error_codes":[53100]`, 403, oautherr.Permission, false},
		{`"error":"temporarily_unavailable","error_codes":[53003]`, 503, oautherr.Transient, false},
		{`"error":"invalid_grant","error_codes":[53003]`, 429, oautherr.Throttled, false},
		{`"error":"invalid_client"`, 401, oautherr.Credential, false},
	} {
		t.Run(fmt.Sprint(c.status, c.members), func(t *testing.T) {
			e := oautherr.FromResponse(answer(c.status, c.members), arrival)
			if e.Class != c.class || e.Interaction() != c.interaction {
				t.Errorf("class %s, interaction %t; want %s, %t", e.Class, e.Interaction(), c.class, c.interaction)
			}
		})
	}
}

func TestWhoAsksToWait(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   *oautherr.Error
		wants bool
	}{
		{"a 429", oautherr.FromResponse(oautherr.Response{Status: 429}, arrival), true},
		{"a refusal with Retry-After", oautherr.FromResponse(oautherr.Response{Status: 400, Header: retryAfter("9"), Body: []byte(`{"error":"invalid_scope"}`)}, arrival), true},
		{"a refusal", oautherr.FromResponse(answer(400, `"error":"invalid_scope"`), arrival), false},
		{"an outage", oautherr.FromResponse(oautherr.Response{Status: 503}, arrival), false},
		{"a user who is still typing", oautherr.FromResponse(oautherr.Response{Status: 400, Header: retryAfter("9"), Body: []byte(`{"error":"authorization_pending"}`)}, arrival), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.err.AsksToWait(); got != c.wants {
				t.Errorf("asks to wait: %t, want %t", got, c.wants)
			}
		})
	}
}

func TestPauseIsWhatTheServerAsksForAndLongerForALoop(t *testing.T) {
	for _, c := range []struct {
		members, retryAfter string
		want                time.Duration
	}{
		{`"error":"invalid_client"`, "", 0},
		{`"error":"invalid_client"`, "7", 7 * time.Second},
		{`"error":"invalid_grant","error_codes":[50196]`, "", 5 * time.Minute},
		{`"error":"invalid_grant","error_codes":[50196]`, "60", 5 * time.Minute},
		{`"error":"invalid_grant","error_codes":[50196]`, "900", 15 * time.Minute},
		{`"error":"invalid_grant","error_codes":[90055]`, "", 0},
	} {
		t.Run(c.members+" "+c.retryAfter, func(t *testing.T) {
			response := answer(400, c.members)
			response.Header = http.Header{"Retry-After": {c.retryAfter}}
			if got := oautherr.FromResponse(response, arrival).Pause(); got != c.want {
				t.Errorf("pause %s, want %s", got, c.want)
			}
		})
	}
}
