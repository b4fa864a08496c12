// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/schedule"
	"tokenrequest.dev/operator/internal/secret"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// given is an attempt of a request whose Secret holds a token of an hour, issued ten minutes ago.
func given(change ...func(*attempt)) *attempt {
	request := &stsv1alpha1.TokenRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "graph", UID: "uid", Generation: 3},
		Spec: stsv1alpha1.TokenRequestSpec{Issuer: &stsv1alpha1.IssuerSpec{
			Authority: "https://login.microsoftonline.com/contoso", ClientID: "app"}},
		Status: stsv1alpha1.TokenRequestStatus{ObservedGeneration: -1},
	}
	a := newAttempt(request, noon)
	a.holding = secret.Holding{State: secret.Ours, Secret: &corev1.Secret{}}
	a.content = secret.Content{Intact: true, Shaped: true, Dressed: true, Record: secret.Record{
		IssuedAt: noon.Add(-10 * time.Minute), ExpiresAt: noon.Add(50 * time.Minute), RefreshAt: noon.Add(30 * time.Minute),
		Inputs: a.inputs, TokenType: "Bearer"}}
	a.credential = &credential.Credential{ClientID: "app", Description: "Secret payments/app key secret", Identity: "uid/1"}
	a.identify()
	a.endpoint = "https://login.microsoftonline.com/contoso/oauth2/v2.0/token"
	for _, c := range change {
		c(a)
	}
	return a
}

func noToken(a *attempt)   { a.content = secret.Content{}; a.holding = secret.Holding{} }
func otherSpec(a *attempt) { a.content.Record.Inputs = "v1:another" }
func expired(a *attempt)   { a.content.Record.ExpiresAt = noon }
func nearEnd(a *attempt)   { a.content.Record.ExpiresAt = noon.Add(time.Minute) }

// after makes the status of an earlier outcome the one that the attempt starts from.
func after(o outcome, then ...func(*attempt)) func(*attempt) {
	return func(a *attempt) { a.request.Status = nextStatus(given(then...), o) }
}

func answered(status int, header http.Header, body string) *oautherr.Error {
	return oautherr.FromResponse(oautherr.Response{Status: status, Header: header, Body: []byte(body)}, noon)
}

func failing(e *oautherr.Error) outcome {
	return outcome{kind: failed, err: e, since: noon, until: noon.Add(time.Minute), attempts: 1, called: true}
}

var (
	wrongSecret = failing(answered(401, nil, `{"error":"invalid_client","error_description":"AADSTS7000222: as described. Trace ID: 3f2504e0-4f89-11d3-9a0c-0305e82c3301","error_codes":[7000222]}`))
	throttled   = failing(answered(429, http.Header{"Retry-After": {"60"}}, "Too Many Requests"))
	patient     = failing(answered(400, http.Header{"Retry-After": {"60"}}, `{"error":"invalid_scope"}`))
	outage      = failing(answered(503, nil, ""))
	mfa         = failing(answered(400, nil, `{"error":"interaction_required","error_codes":[50076],"claims":"{\"access_token\":{}}"}`))
	notFound    = outcome{kind: blocked, reason: "CredentialNotFound", message: "Secret payments/app doesn't exist. Create it; the request goes on by itself."}
)

func TestNextStatusTellsEachOutcomeInConditions(t *testing.T) {
	for _, c := range []struct {
		name string
		a    *attempt
		o    outcome
		want []string
		next time.Duration // from noon; zero: none
	}{
		{"a valid token that isn't due", given(), outcome{kind: settled}, []string{"Ready=True/TokenValid", "Issued=True/TokenIssued"}, 30 * time.Minute},
		{"a new token", given(), outcome{kind: issued}, []string{"Ready=True/TokenValid", "Issued=True/TokenIssued"}, 30 * time.Minute},
		{"a new token after a failure", given(after(wrongSecret, noToken)), outcome{kind: issued}, []string{"Ready=True/TokenValid", "Issued=True/TokenIssued"}, 30 * time.Minute},
		{"a refused first token", given(noToken), wrongSecret,
			[]string{"Ready=False/InvalidClient", "Issued=False/InvalidClient", "Stalled=True/InvalidClient"}, time.Minute},
		{"a refused refresh leaves Ready alone", given(), wrongSecret, []string{"Ready=True/TokenValid", "Issued=False/InvalidClient"}, time.Minute},
		{"a refused spec", given(otherSpec), wrongSecret,
			[]string{"Ready=False/InvalidClient", "Issued=False/InvalidClient", "Stalled=True/InvalidClient"}, time.Minute},
		{"a throttled first token", given(noToken), throttled,
			[]string{"Ready=False/Throttled", "Issued=False/Throttled", "Throttled=True/Throttled", "Reconciling=True/RetryScheduled"}, time.Minute},
		{"a throttled refresh", given(), throttled, []string{"Ready=True/TokenValid", "Issued=False/Throttled", "Throttled=True/Throttled"}, time.Minute},
		{"a refusal that asks for patience too", given(noToken), patient,
			[]string{"Ready=False/InvalidScope", "Issued=False/InvalidScope", "Throttled=True/Throttled", "Stalled=True/InvalidScope"}, time.Minute},
		{"a throttle that ended in an outage", given(after(throttled)), outage, []string{"Ready=True/TokenValid", "Issued=False/ServerError"}, time.Minute},
		{"an outage during a token's life costs Issued alone", given(), outage, []string{"Ready=True/TokenValid", "Issued=False/ServerError"}, time.Minute},
		{"an outage that outlasted the token", given(expired), outage,
			[]string{"Ready=False/TokenExpired", "Issued=False/ServerError", "Reconciling=True/RetryScheduled"}, time.Minute},
		{"a person has to sign in", given(noToken), mfa,
			[]string{"Ready=False/InteractionRequired", "Issued=False/InteractionRequired", "InteractionRequired=True/InteractionRequired", "Stalled=True/InteractionRequired"}, time.Minute},
		{"a missing Secret", given(noToken), notFound,
			[]string{"Ready=False/CredentialNotFound", "Issued=False/CredentialNotFound", "Stalled=True/CredentialNotFound"}, 0},
		{"a retry that isn't due keeps what was said", given(after(throttled, noToken), noToken), outcome{kind: waiting},
			[]string{"Ready=False/Throttled", "Issued=False/Throttled", "Throttled=True/Throttled", "Reconciling=True/RetryScheduled"}, time.Minute},
		{"a token that expires while a retry isn't due", given(after(outage), expired), outcome{kind: waiting},
			[]string{"Ready=False/TokenExpired", "Issued=False/ServerError", "Reconciling=True/RetryScheduled"}, time.Minute},
		{"a token that expires while the retry of a definite refusal isn't due", given(after(wrongSecret), expired), outcome{kind: waiting},
			[]string{"Ready=False/TokenExpired", "Issued=False/InvalidClient", "Stalled=True/InvalidClient"}, time.Minute},
		{"suspended from the start", given(noToken), outcome{kind: suspended}, []string{"Ready=False/Suspended", "Issued=False/Suspended"}, 0},
		{"suspended with a token that lives", given(after(outcome{kind: issued})), outcome{kind: suspended}, []string{"Ready=True/TokenValid", "Issued=True/TokenIssued"}, 0},
		{"suspended until the token died", given(after(outcome{kind: issued}), expired), outcome{kind: suspended}, []string{"Ready=False/Suspended", "Issued=True/TokenIssued"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := nextStatus(c.a, c.o)
			got := map[string]bool{}
			for _, condition := range s.Conditions {
				got[condition.Type+"="+string(condition.Status)+"/"+condition.Reason] = true
				if condition.ObservedGeneration != 3 {
					t.Errorf("%s speaks of generation %d", condition.Type, condition.ObservedGeneration)
				}
			}
			want := map[string]bool{}
			for _, w := range c.want {
				want[w] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			var next time.Duration
			if s.NextAttemptAt != nil {
				next = s.NextAttemptAt.Sub(noon)
			}
			if spread := next - c.next; spread < 0 || spread > 6*time.Second {
				t.Errorf("nextAttemptAt is %s from now, want %s and a tenth at most", next, c.next)
			}
			if s.ObservedGeneration != 3 {
				t.Errorf("observedGeneration = %d", s.ObservedGeneration)
			}
		})
	}
}

func TestTheSameFailureNeverChangesAConditionAgain(t *testing.T) {
	for name, o := range map[string]outcome{"wrong secret": wrongSecret, "throttled": throttled, "outage": outage, "interaction": mfa, "blocked": notFound} {
		t.Run(name, func(t *testing.T) {
			first := nextStatus(given(noToken), o)
			status := first
			for i := range 5 {
				later := func(a *attempt) {
					noToken(a)
					a.request.Status = status
					a.now = noon.Add(time.Duration(i+1) * 10 * time.Second)
				}
				again := o
				if o.err != nil {
					copied := *o.err
					copied.CorrelationID, copied.TraceID = strings.Repeat("0", i+1), strings.Repeat("1", i+1)
					again.err, again.attempts, again.since = &copied, i+2, noon.Add(time.Duration(i+1)*10*time.Second)
				}
				status = nextStatus(given(later), again)
				if diff := cmp.Diff(first.Conditions, status.Conditions); diff != "" {
					t.Fatalf("attempt %d changed the conditions:\n%s", i+2, diff)
				}
			}
			if o.err != nil && (status.LastError.Attempts != 6 || !status.LastError.FirstSeen.Time.Equal(noon)) {
				t.Errorf("lastError = %+v, want 6 attempts since noon", status.LastError)
			}
		})
	}
}

func TestNoMessageCarriesAnInstantAnIDOrADescription(t *testing.T) {
	for _, c := range nextStatus(given(noToken), wrongSecret).Conditions {
		for _, forbidden := range []string{"2026", "3f2504e0", "Trace", "as described"} {
			if strings.Contains(c.Message, forbidden) {
				t.Errorf("%s says %q", c.Type, c.Message)
			}
		}
	}
}

// A wrong secret that was stored a moment ago may be right in a minute; one that brought tokens for
// days and is wrong now won't be.
func TestARefusalPropagatesForTheFirstMinutesOfACredentialAlone(t *testing.T) {
	wrong := failing(answered(401, nil, `{"error":"invalid_client","error_codes":[7000215]}`))
	proven := func(a *attempt) { a.content.Record.Presented = a.presented }
	another := func(a *attempt) { a.content.Record.Presented = "v1:of-the-credential-before" }
	since := func(d time.Duration) func(*attempt) {
		return func(a *attempt) {
			a.request.Status = nextStatus(given(noToken), wrong)
			a.now = noon.Add(d)
		}
	}
	for _, c := range []struct {
		name   string
		change []func(*attempt)
		o      outcome
		want   bool
	}{
		{"a new credential", []func(*attempt){noToken}, wrong, true},
		{"a credential in place of one that worked", []func(*attempt){another}, wrong, true},
		{"a credential that has worked", []func(*attempt){proven}, wrong, false},
		{"after four minutes", []func(*attempt){noToken, since(4 * time.Minute)}, wrong, true},
		{"after five minutes", []func(*attempt){noToken, since(5 * time.Minute)}, wrong, false},
		{"a refusal of another kind", []func(*attempt){noToken}, wrongSecret, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := given(c.change...)
			s := nextStatus(a, c.o)
			if got := a.propagates(c.o.err, s.LastError.FirstSeen); got != c.want {
				t.Errorf("propagates: %t, want %t", got, c.want)
			}
			if a.valid() {
				return
			}
			if stalled := meta.IsStatusConditionTrue(s.Conditions, stsv1alpha1.ConditionStalled); stalled == c.want {
				t.Errorf("Stalled: %t, want %t", stalled, !c.want)
			}
		})
	}
}

func TestReadyNamesTheExpiryOnceItIsNearAndTheRefreshFails(t *testing.T) {
	message := func(a *attempt, o outcome) string {
		for _, c := range nextStatus(a, o).Conditions {
			if c.Type == stsv1alpha1.ConditionReady {
				return c.Message
			}
		}
		return ""
	}
	if got := message(given(nearEnd), outage); !strings.Contains(got, "2026-11-21T12:01:00Z") {
		t.Errorf("failing near the end: %q", got)
	}
	if got := message(given(nearEnd), outcome{kind: settled}); strings.Contains(got, "2026") {
		t.Errorf("not failing: %q", got)
	}
	if got := message(given(), outage); strings.Contains(got, "2026") {
		t.Errorf("failing far from the end: %q", got)
	}
}

func suspends(a *attempt) { a.request.Spec.Suspend = true }

// A person who looks at a suspended request must not have to know what suspending means.
func TestReadySaysThatASuspendedTokenIsNotRefreshed(t *testing.T) {
	for _, c := range []struct {
		name string
		a    *attempt
		o    outcome
		want string
	}{
		{"a token that lives", given(suspends), outcome{kind: suspended}, "Secret graph holds a valid token. It isn't refreshed until spec.suspend is false."},
		{"a refresh that was failing", given(after(outage), suspends), outcome{kind: suspended}, "Secret graph holds a valid token. It isn't refreshed until spec.suspend is false."},
		{"a token near its end", given(nearEnd, suspends), outcome{kind: suspended}, "Secret graph holds a token that expires at 2026-11-21T12:01:00Z, and isn't refreshed until spec.suspend is false."},
		{"a token past its end", given(expired, suspends), outcome{kind: suspended}, "Secret graph holds no valid token, and spec.suspend is true. Set it to false to have a token issued."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := nextStatus(c.a, c.o)
			if got := meta.FindStatusCondition(s.Conditions, stsv1alpha1.ConditionReady).Message; got != c.want {
				t.Errorf("Ready says %q, want %q", got, c.want)
			}
			if s.NextAttemptAt != nil {
				t.Errorf("nextAttemptAt is %s: nothing is going to be attempted", s.NextAttemptAt)
			}
		})
	}
}

func TestAnAnswerToASuspendedRequestAcknowledgesNothing(t *testing.T) {
	a := given(suspends)
	a.request.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "now"}
	if s := nextStatus(a, outcome{kind: issued, called: true}); s.LastHandledRefreshAt != "" {
		t.Errorf("acknowledged %q, which was asked after that call had left or while it was stopped", s.LastHandledRefreshAt)
	}
}

func TestALiveObjectAlwaysHasANextStep(t *testing.T) {
	worlds := map[string][]func(*attempt){"a token": nil, "no token": {noToken}, "expired": {expired}, "near its end": {nearEnd}, "another spec's": {otherSpec}}
	outcomes := map[string]outcome{"settled": {kind: settled}, "issued": {kind: issued}, "suspended": {kind: suspended},
		"refused": wrongSecret, "throttled": throttled, "outage": outage, "blocked": notFound, "pending": {kind: pending, retry: noon.Add(30 * time.Second)}}
	for world, changes := range worlds {
		for name, o := range outcomes {
			a := given(changes...)
			next := o.retry
			if o.kind != pending {
				next = wake(a, o, nextStatus(a, o))
			}
			result := o.result(a, next)
			if result.RequeueAfter < soonest {
				t.Errorf("%s with %s: requeue after %s, which is never or a hot loop", name, world, result.RequeueAfter)
			}
			if expiry := a.content.Record.ExpiresAt; a.valid() && o.kind != pending && a.now.Add(result.RequeueAfter).After(expiry) && o.kind != blocked {
				t.Errorf("%s with %s: looks again at %s, after the expiry at %s", name, world, a.now.Add(result.RequeueAfter), expiry)
			}
		}
	}
	ofAnHour := given()
	if next := wake(ofAnHour, notFound, nextStatus(ofAnHour, notFound)); next.Sub(noon) != recheck {
		t.Errorf("a blocked request is looked at again after %s, though its token lives for longer; want %s", next.Sub(noon), recheck)
	}
	if r := (outcome{kind: gone}).result(given(), time.Time{}); r.RequeueAfter != 0 {
		t.Errorf("a deleted object is looked at again after %s", r.RequeueAfter)
	}
}

// Whatever a status, a record and a clock say, an object that isn't being deleted is due now or looked
// at again, and no later than its token's end.
func TestNoStatusLeavesAnObjectWithoutANextStep(t *testing.T) {
	random := rand.New(rand.NewPCG(31, 32))
	for range 20_000 {
		a := anyAttempt(random)
		if random.IntN(3) > 0 {
			a.request.Status = nextStatus(anyAttempt(random), anyOutcome(random, a))
		}
		if random.IntN(4) == 0 {
			a.request.Status.NextAttemptAt = stampOf(anyInstant(random))
		}
		d := schedule.Decide(a.facts(), a.now)
		o := anyOutcome(random, a)
		switch {
		case d.Due: // asks, or hears why not
		case d.Why == schedule.WhySuspended:
			o = outcome{kind: suspended, retry: d.At}
		case d.Why == schedule.WhyBackoff:
			o = outcome{kind: waiting}
		default:
			o = outcome{kind: settled, retry: d.At}
		}
		s := nextStatus(a, o)
		next := wake(a, o, s)
		if !next.IsZero() && !next.After(a.now) {
			t.Fatalf("%+v, status %+v: looks again at %s, which is past %s", o, a.request.Status, next, a.now)
		}
		result := o.result(a, next)
		if result.RequeueAfter < soonest {
			t.Fatalf("%+v, status %+v: requeue after %s", o, a.request.Status, result.RequeueAfter)
		}
		if end := a.content.Record.ExpiresAt; a.valid() && !end.IsZero() && end.Sub(a.now) >= soonest && a.now.Add(result.RequeueAfter).After(end) {
			t.Fatalf("%+v, status %+v: looks again after %s, past the token's end at %s", o, a.request.Status, result.RequeueAfter, end)
		}
	}
}

// anyAttempt draws a request and what its Secret says, with instants as hand edits and jumping clocks leave them.
func anyAttempt(random *rand.Rand) *attempt {
	worlds := [][]func(*attempt){{}, {noToken}, {expired}, {nearEnd}, {otherSpec}, {suspends}, {suspends, expired}, {suspends, nearEnd}, {suspends, noToken}}
	a := given(worlds[random.IntN(len(worlds))]...)
	if a.content.Intact && random.IntN(2) == 0 {
		a.content.Record.IssuedAt, a.content.Record.RefreshAt, a.content.Record.ExpiresAt = anyInstant(random), anyInstant(random), anyInstant(random)
	}
	if random.IntN(4) == 0 {
		a.request.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: "now"}
	}
	if random.IntN(4) == 0 {
		a.request.Spec.RefreshBefore = &metav1.Duration{Duration: time.Duration(random.Int64N(int64(100 * time.Hour)))}
	}
	return a
}

func anyOutcome(random *rand.Rand, a *attempt) outcome {
	all := []outcome{wrongSecret, throttled, patient, outage, mfa, notFound, {kind: awaiting, until: a.now.Add(5 * time.Second), interaction: true, reason: "AuthorizationPending"}}
	if a.content.Intact {
		all = append(all, outcome{kind: issued, called: true})
	}
	return all[random.IntN(len(all))]
}

// anyInstant is unknown, about now, or up to a year away.
func anyInstant(random *rand.Rand) time.Time {
	switch random.IntN(4) {
	case 0:
		return time.Time{}
	case 1:
		return noon.Add(time.Duration(random.Int64N(7)-3) * time.Second)
	default:
		return noon.Add(time.Duration(random.Int64N(int64(2*365*24*time.Hour))) - 365*24*time.Hour).Truncate(time.Second)
	}
}

func TestEveryReasonOfAnSTSErrorIsDeclaredInTheAPI(t *testing.T) {
	declared := declaredReasons(t)
	for _, reason := range oautherr.Reasons() {
		if !declared[string(reason)] {
			t.Errorf("the reason %s isn't a constant of api/v1alpha1", reason)
		}
	}
}
