// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/schedule"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
	"tokenrequest.dev/operator/internal/throttle"
)

func TestFactsHoldAFailureOnlyAgainstTheVerySameAttempt(t *testing.T) {
	failed := after(outage)
	for _, c := range []struct {
		name  string
		a     *attempt
		owed  bool
		retry bool
	}{
		{"nothing failed", given(), false, false},
		{"the same again", given(failed), true, true},
		{"a new version of the credential", given(failed, func(a *attempt) {
			a.credential = &credential.Credential{ClientID: "app", Identity: "uid/2"}
			a.identify()
		}), true, false},
		{"another trust root", given(failed, func(a *attempt) {
			a.credential = &credential.Credential{ClientID: "app", Identity: "uid/1", Transport: sts.Transport{ProxyURL: "http://proxy:3128"}}
			a.identify()
		}), true, false},
		{"another spec", given(failed, func(a *attempt) { a.inputs = "v1:another"; a.identify() }), false, false},
		{"a status without its conditions", given(failed, func(a *attempt) { a.request.Status.Conditions = nil }), true, false},
		{"before the credential is read", given(failed, func(a *attempt) { a.attempted = "" }), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.a.facts()
			if f.Owed != c.owed || (f.Retry != nil) != c.retry {
				t.Errorf("owed %t, retry %v; want %t, %t", f.Owed, f.Retry, c.owed, c.retry)
			}
		})
	}
}

// A soak found 503 after 503 behind a client-wide throttle waited for eight times as long as a first one.
func TestOnlyFailuresOfOneGateMakeARow(t *testing.T) {
	third := func(o outcome) outcome { o.attempts = 3; return o }
	busy := failing(answered(503, http.Header{"Retry-After": {"3"}}, ""))
	broken := failing(answered(200, nil, "<html>"))
	for _, c := range []struct {
		name string
		a    *attempt
		kind throttle.Kind
		want int
	}{
		{"nothing before", given(), throttle.Unavailable, 0},
		{"an outage after an outage", given(after(third(outage))), throttle.Unavailable, 3},
		{"an outage after an answer that can't be used", given(after(third(broken))), throttle.Unavailable, 3},
		{"an outage after a call for patience", given(after(third(throttled))), throttle.Unavailable, 0},
		{"an outage after one that named its end", given(after(third(busy))), throttle.Unavailable, 0},
		{"a call for patience after another", given(after(third(throttled))), throttle.Rate, 3},
		{"an outage after a refusal", given(after(third(wrongSecret))), throttle.Unavailable, 0},
		{"a refusal after an outage", given(after(third(outage))), throttle.Refused, 0},
		{"a refusal after one that asked for patience", given(after(third(patient))), throttle.Refused, 3},
		{"an outage of another spec", given(after(third(outage)), func(a *attempt) { a.inputs = "v1:another"; a.identify() }), throttle.Unavailable, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.a.row(c.kind); got != c.want {
				t.Errorf("a row of %d, want %d", got, c.want)
			}
		})
	}
}

func TestGatesOfTwoNamespacesNeverMeet(t *testing.T) {
	mine, theirs := given(), given()
	theirs.request.Namespace = "attacker"
	theirs.choice = newAttempt(theirs.request, noon).choice
	if mine.gate().Domain == theirs.gate().Domain || mine.flight() == theirs.flight() {
		t.Error("two namespaces share a gate or a flight")
	}
}

// Those who share an issuer share what it asks for, and never what each of them trades.
func TestNamespacesThatShareAnIssuerMeetAtItsGates(t *testing.T) {
	of := func(namespace string, grant stsv1alpha1.GrantType) *attempt {
		return given(func(a *attempt) {
			a.request.Namespace = namespace
			a.request.Spec.Grant = &stsv1alpha1.Grant{Type: grant}
			a.realm = "cluster/contoso"
			a.identify()
		})
	}
	mine, theirs := of("payments", stsv1alpha1.GrantClientCredentials), of("shop", stsv1alpha1.GrantClientCredentials)
	if mine.gate().Domain != theirs.gate().Domain || mine.flight() != theirs.flight() {
		t.Error("two namespaces that ask the same of one issuer make two calls")
	}
	if of("payments", stsv1alpha1.GrantTokenExchange).flight() == of("shop", stsv1alpha1.GrantTokenExchange).flight() {
		t.Error("two namespaces share the call that trades a token of one of them")
	}
}

func TestAForcedRefreshIsForcedUntilItIsAcknowledged(t *testing.T) {
	long := strings.Repeat("x", 1000)
	a := given(func(a *attempt) {
		a.request.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: long}
	})
	if !a.facts().Forced {
		t.Fatal("a new annotation doesn't force")
	}
	a.request.Status = nextStatus(a, outcome{kind: issued, called: true})
	if !a.facts().Forced {
		t.Error("a token that waited in memory for ten minutes is taken for the new one that is wanted")
	}
	a.content.Record.IssuedAt = noon
	a.request.Status = nextStatus(a, outcome{kind: issued, called: true})
	if a.facts().Forced {
		t.Error("a handled annotation forces again")
	}
	behindGate := given(func(a *attempt) {
		a.request.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "now"}
	})
	gate := throttled
	gate.called = false
	behindGate.request.Status = nextStatus(behindGate, gate)
	if !behindGate.facts().Forced {
		t.Error("what a shut gate kept from happening was acknowledged")
	}
}

func TestAuthorityOfAnEntraTokenEndpointIsItsTenant(t *testing.T) {
	a := given(func(a *attempt) {
		a.issuer = &stsv1alpha1.IssuerSpec{TokenEndpoint: "https://login.microsoftonline.com/contoso/oauth2/v2.0/token"}
	})
	if got := a.authority(); got != "https://login.microsoftonline.com/contoso" {
		t.Error(got)
	}
}

func TestRefusedFieldsQuotesNoValue(t *testing.T) {
	const canary = "eyJhbGciOi-canary"
	err := apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "graph", field.ErrorList{
		field.Invalid(field.NewPath("data").Key("token"), canary, "is "+canary),
		field.Required(field.NewPath("data").Key("tls.crt"), "")})
	got := refusedFields(err)
	if strings.Contains(got, canary) || !strings.Contains(got, "data[tls.crt] (FieldValueRequired)") {
		t.Errorf("got %q", got)
	}
	if got := refusedFields(errors.New(canary)); strings.Contains(got, canary) {
		t.Errorf("got %q", got)
	}
}

func TestRefusesTellsWhatIsNotWorthSendingAgain(t *testing.T) {
	denied := func(code int32, reason metav1.StatusReason) error {
		return fmt.Errorf("applying: %w", &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Reason: reason, Message: "a token"}})
	}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"invalid":                       {denied(422, metav1.StatusReasonInvalid), true},
		"forbidden":                     {denied(403, metav1.StatusReasonForbidden), true},
		"too large":                     {denied(413, metav1.StatusReasonRequestEntityTooLarge), true},
		"by a webhook without a code":   {denied(400, ""), true},
		"by a webhook with one":         {denied(418, ""), true},
		"a conflict":                    {denied(409, metav1.StatusReasonConflict), false},
		"too many requests":             {denied(429, metav1.StatusReasonTooManyRequests), false},
		"nobody knows who asks":         {denied(401, metav1.StatusReasonUnauthorized), false},
		"an error of the server itself": {denied(500, metav1.StatusReasonInternalError), false},
		"no answer":                     {errors.New("connection refused"), false},
	} {
		if got := refuses(c.err); got != c.want {
			t.Errorf("%s: refuses = %t, want %t", name, got, c.want)
		}
	}
	if got := refusedFields(denied(400, "")); got != "HTTP 400" {
		t.Errorf("a denial without a reason reads %q", got)
	}
}

func TestRepairsAreImmediateAtFirstAndThenSpaced(t *testing.T) {
	repairs := NewRepairs()
	at := func(d time.Duration) *attempt {
		a := given(func(a *attempt) { a.decision.Why = schedule.WhySecretDrifted })
		a.now = noon.Add(d)
		return a
	}
	for range freeRepairs {
		if _, wait := repairs.hold(at(0), isReissue); wait {
			t.Fatal("an early repair has to wait")
		}
		repairs.note(at(0), isReissue)
	}
	until, wait := repairs.hold(at(time.Second), isReissue)
	if !wait || !until.Equal(noon.Add(firstRepairDelay)) {
		t.Errorf("the next waits until %s (%t), want %s", until, wait, noon.Add(firstRepairDelay))
	}
	if _, wait := repairs.hold(at(firstRepairDelay), isReissue); wait {
		t.Error("it still waits when its time has come")
	}
	repairs.note(at(firstRepairDelay), isReissue)
	if until, _ := repairs.hold(at(firstRepairDelay+time.Second), isReissue); until.Sub(noon) != 3*firstRepairDelay {
		t.Errorf("the delay doesn't double: %s", until.Sub(noon))
	}
	if _, wait := repairs.hold(at(firstRepairDelay+repairMemory+time.Second), isReissue); wait {
		t.Error("what happened long ago still counts")
	}
	other := at(time.Second)
	other.request.UID = "another"
	if _, wait := repairs.hold(other, isReissue); wait {
		t.Error("another object pays for it")
	}
}

// The status that says that a repair waits has no token: who is woken by it must wait all the same.
func TestARepairWaitsThoughTheStatusKnowsOfNoToken(t *testing.T) {
	repairs := NewRepairs()
	deleted := func(edits ...func(*attempt)) *attempt {
		return given(append(edits, func(a *attempt) { a.decision.Why = schedule.WhySecretMissing })...)
	}
	for range freeRepairs {
		repairs.note(deleted(after(outcome{kind: issued})), isReissue)
	}
	if _, wait := repairs.hold(deleted(noToken), isReissue); !wait {
		t.Error("it is repaired at once")
	}
	repairs.note(deleted(noToken), isReissue)
	if until, _ := repairs.hold(deleted(noToken), isReissue); until.Sub(noon) != 2*firstRepairDelay {
		t.Errorf("the delay after the next is %s, want %s", until.Sub(noon), 2*firstRepairDelay)
	}
	renamed := deleted(noToken)
	renamed.request.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "elsewhere"}
	if _, wait := repairs.hold(renamed, isReissue); wait {
		t.Error("the name after it pays for it")
	}
}

func TestOrdinaryWorkIsNoRepair(t *testing.T) {
	for _, a := range []*attempt{
		given(noToken, func(a *attempt) { a.decision.Why = schedule.WhySecretMissing }),
		given(func(a *attempt) { a.decision.Why = schedule.WhyNearExpiry }),
		given(func(a *attempt) { a.decision.Why = schedule.WhySpecChanged }),
	} {
		if isReissue(a, repair{}) {
			t.Errorf("%s counts as a repair", a.decision.Why)
		}
	}
}

// Also while a token is due that doesn't come: an outage must not let two writers fight.
func TestWhatSomebodyElseEditsIsARepairWhateverIsDue(t *testing.T) {
	for _, why := range []schedule.Why{schedule.WhyNothing, schedule.WhyNearExpiry, schedule.WhyOwed, schedule.WhyTokenExpired} {
		byHand := given(func(a *attempt) { a.decision.Why, a.request.Status.ObservedGeneration = why, a.request.Generation })
		if !isRedress(byHand, repair{}) {
			t.Errorf("%s: what somebody else edits is no repair", why)
		}
		bySpec := given(func(a *attempt) { a.decision.Why, a.request.Status.ObservedGeneration = why, a.request.Generation-1 })
		if isRedress(bySpec, repair{}) {
			t.Errorf("%s: what follows from an edit of the spec is a repair", why)
		}
	}
}

func TestARenamedSecretIsKnownUntilTheNewOneHoldsAToken(t *testing.T) {
	a := given(after(outcome{kind: issued}), func(a *attempt) {
		a.request.Spec.Secret = &stsv1alpha1.TokenSecret{Name: "renamed"}
		a.holding, a.content = secret.Holding{}, secret.Content{}
	})
	if got := nextStatus(a, outage).Token; got == nil || got.SecretName != "graph" {
		t.Errorf("status.token = %+v, want the former Secret's", got)
	}
}

func TestAFreeNameGoesToItsHolderThenToTheElderThenToTheSmallerUID(t *testing.T) {
	request := func(age time.Duration, uid types.UID) *stsv1alpha1.TokenRequest {
		return &stsv1alpha1.TokenRequest{ObjectMeta: metav1.ObjectMeta{Name: "shared", UID: uid, CreationTimestamp: metav1.NewTime(noon.Add(-age))}}
	}
	holder := request(time.Minute, "b")
	holder.Status.Token = &stsv1alpha1.TokenStatus{SecretName: "shared"}
	for name, pair := range map[string][2]*stsv1alpha1.TokenRequest{
		"the holder before an elder":           {holder, request(time.Hour, "a")},
		"the elder":                            {request(time.Hour, "b"), request(time.Minute, "a")},
		"of two of one age, the smaller's UID": {request(time.Hour, "a"), request(time.Hour, "b")},
	} {
		if !precedes(pair[0], pair[1]) || precedes(pair[1], pair[0]) {
			t.Errorf("it doesn't go to %s", name)
		}
	}
}

func TestScopesAreSentAsTheyStandButForWhatAGrantNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		grant stsv1alpha1.GrantType
		meta  sts.Metadata
		asked []string
		want  []string
	}{
		"client credentials":                 {stsv1alpha1.GrantClientCredentials, sts.Metadata{Entra: true}, []string{"openid"}, []string{"openid"}},
		"a refresh at Entra":                 {stsv1alpha1.GrantRefreshToken, sts.Metadata{Entra: true}, []string{"mail"}, []string{"mail", "offline_access"}},
		"a refresh at Entra that asks so":    {stsv1alpha1.GrantRefreshToken, sts.Metadata{Entra: true}, []string{"offline_access", "mail"}, []string{"offline_access", "mail"}},
		"a refresh elsewhere":                {stsv1alpha1.GrantRefreshToken, sts.Metadata{}, []string{"mail"}, []string{"mail"}},
		"a sign-in where nothing is listed":  {stsv1alpha1.GrantDeviceCode, sts.Metadata{}, []string{"mail"}, []string{"mail", "openid", "profile", "offline_access"}},
		"a sign-in where some of it is":      {stsv1alpha1.GrantDeviceCode, sts.Metadata{Scopes: []string{"openid"}}, []string{"mail"}, []string{"mail", "openid"}},
		"a token exchange that asks for all": {stsv1alpha1.GrantTokenExchange, sts.Metadata{}, []string{"openid", "profile"}, []string{"openid", "profile"}},
	} {
		a := given(func(a *attempt) { a.request.Spec.Grant = &stsv1alpha1.Grant{Type: c.grant} })
		if got := a.withSignIn(c.asked, c.meta); !slices.Equal(got, c.want) {
			t.Errorf("%s asks for %v, want %v", name, got, c.want)
		}
	}
}
