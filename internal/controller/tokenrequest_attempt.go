// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/schedule"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
	"tokenrequest.dev/operator/internal/throttle"
)

// attempt is what one reconcile of one request finds out, phase by phase. It holds values only, so
// that what follows from it can be computed and tested without a cluster.
type attempt struct {
	request *stsv1alpha1.TokenRequest
	now     time.Time

	// Known from the request when the issuer stands there, else once it was looked up.
	choice

	// Known once the token Secret was looked at.
	holding  secret.Holding
	content  secret.Content
	shape    secret.Shape
	decision schedule.Decision

	// Known once the credential was read.
	credential *credential.Credential
	assertion  *oautherr.Assertion // what stands for a federated client, as far as it is known
	claims     string
	trust      string // whom the transport trusts
	attempted  string // what is asked, and with what
	flown      string // the same, as those who may share the answer write it
	presented  string // with what
	endpoint   string // empty until discovery has told
	meta       sts.Metadata
	device     string // the device authorization endpoint, likewise
	method     sts.AuthMethod

	// Known once what answers before have left was read.
	grant     sts.Grant
	authorize bool // a device code is asked for, and no token
	store     secret.Holding
	chain     secret.Chain
	stuck     outcome // why the chain can't go on by itself
	answered  bool    // what was asked has an answer
	answer    Answer

	// Known at the end.
	underWay bool // the STS is being asked
}

func newAttempt(request *stsv1alpha1.TokenRequest, now time.Time) *attempt {
	a := &attempt{request: request, now: now}
	if issuer := request.Spec.Issuer; issuer != nil {
		a.choice = choice{
			issuer: issuer,
			site:   credential.Inline(request.Namespace),
			realm:  realmOf(request.Namespace),
			inputs: secret.Inputs(issuer, &request.Spec),
		}
	}
	return a
}

func (a *attempt) key() types.NamespacedName {
	return types.NamespacedName{Namespace: a.request.Namespace, Name: a.request.Name}
}

func (a *attempt) secretKey() types.NamespacedName {
	return types.NamespacedName{Namespace: a.request.Namespace, Name: a.request.SecretName()}
}

// hold takes in the Secret that was found under the wanted name.
func (a *attempt) hold(h secret.Holding) {
	a.holding = h
	a.content = h.Inspect(a.request)
}

// looked says that some attempt before this one has already written a status.
func (a *attempt) looked() bool { return len(a.request.Status.Conditions) > 0 }

// matches says that the Secret holds a token that was asked for as the spec asks now.
func (a *attempt) matches() bool {
	if a.issuer == nil {
		return a.content.Intact && a.unchanged()
	}
	return a.content.Intact && secret.SameHash(a.content.Record.Inputs, a.inputs)
}

// valid says that the Secret holds a token that matches the spec, where the spec wants it, and that
// hasn't expired.
func (a *attempt) valid() bool { return a.matches() && a.content.Shaped && !a.expired() }

// fits says that the token in the Secret stands where the spec wants it, or can be written there
// without a call.
func (a *attempt) fits() bool { return a.content.Shaped || a.holding.HasToken() }

func (a *attempt) expired() bool {
	expiry := a.content.Record.ExpiresAt
	return !expiry.IsZero() && !a.now.Before(expiry)
}

// refreshAt is when the token in the Secret is due: by the plan that was made when it came, which knew
// of the server's advice and of the burst that the request was made in. Another refreshBefore since
// then counts at once, without a new token.
func (a *attempt) refreshAt() time.Time {
	record := a.content.Record
	if record.RefreshBefore == a.refreshBefore() {
		return record.RefreshAt
	}
	return schedule.RefreshAt(a.life(record.IssuedAt, lifetime(record)), string(a.request.UID))
}

// refreshBefore is the spec's, zero for none.
func (a *attempt) refreshBefore() time.Duration {
	if before := a.request.Spec.RefreshBefore; before != nil {
		return before.Duration
	}
	return 0
}

func lifetime(record secret.Record) time.Duration {
	if record.ExpiresAt.IsZero() {
		return 0
	}
	return record.ExpiresAt.Sub(record.IssuedAt)
}

// life is a token's life as the schedule wants it.
func (a *attempt) life(issuedAt time.Time, lifetime time.Duration) schedule.Token {
	life := schedule.Token{IssuedAt: issuedAt, Lifetime: lifetime}
	if before := a.request.Spec.RefreshBefore; before != nil {
		life.RefreshBefore = &before.Duration
	}
	return life
}

// record is what will be written down about a token that the STS has just given.
func (a *attempt) record(token *sts.Token) secret.Record {
	life := a.life(token.IssuedAt, token.Lifetime)
	life.RefreshIn = token.RefreshIn
	life.First = a.holding.State == secret.Free && a.request.Status.Token == nil
	return secret.NewRecord(token, secret.Plan{
		RefreshAt:     schedule.RefreshAt(life, string(a.request.UID)),
		RefreshBefore: a.refreshBefore(),
		Inputs:        a.inputs,
		Presented:     a.presented,
	})
}

// forced is the refresh that a person has asked for and that wasn't acknowledged yet, or "".
func (a *attempt) forced() string {
	asked := a.request.Annotations[stsv1alpha1.AnnotationRefreshRequestedAt]
	// The acknowledgement in the status is cut to its schema's length, so the comparison is too.
	acknowledged := stsv1alpha1.TokenRequestStatus{LastHandledRefreshAt: asked}
	acknowledged.Bound()
	if acknowledged.LastHandledRefreshAt == a.request.Status.LastHandledRefreshAt {
		return ""
	}
	return asked
}

// facts are what the schedule decides on. The last failure counts only against the very same
// attempt: same inputs, same version of the credential.
func (a *attempt) facts() schedule.Facts {
	f := schedule.Facts{
		Suspended:   a.request.Spec.Suspend,
		SecretFound: a.holding.State != secret.Free && a.holding.State != secret.Foreign,
		Intact:      a.content.Intact,
		Matches:     a.matches() && a.fits(),
		Forced:      a.forced() != "" && !a.polling(),
	}
	if a.content.Intact {
		f.IssuedAt = a.content.Record.IssuedAt
		f.RefreshAt = a.refreshAt()
		f.ExpiresAt = a.content.Record.ExpiresAt
	}
	if last := a.request.Status.LastError; last != nil {
		f.Owed = strings.HasPrefix(last.Attempted, a.asked())
	}
	if a.chained() && meta.IsStatusConditionTrue(a.request.Status.Conditions, stsv1alpha1.ConditionInteractionRequired) {
		f.Owed = true // a sign-in is waited for, or wasn't the right one: that is no refusal of the STS's
	}
	// A status that somebody took the conditions from can't be kept as it is: the attempt is made.
	told := meta.IsStatusConditionFalse(a.request.Status.Conditions, stsv1alpha1.ConditionIssued)
	if next := a.request.Status.NextAttemptAt; next != nil && told && (a.failedBefore() || a.polling()) {
		f.Retry = &schedule.Retry{At: next.Time}
	}
	return f
}

// failedBefore says that the last failure was of this very attempt.
func (a *attempt) failedBefore() bool {
	last := a.request.Status.LastError
	return last != nil && a.attempted != "" && last.Attempted == a.attempted
}

// row is how many failures in a row of this very attempt, all of the kind, the status tells of. Others
// don't count: a client that was told to wait three times has not seen an outage three times, and may
// itself not have been there, since all behind one gate show what shut it.
func (a *attempt) row(k throttle.Kind) int {
	if !a.failedBefore() {
		return 0
	}
	there := a.request.Status.Conditions
	var reason string
	if issued := meta.FindStatusCondition(there, stsv1alpha1.ConditionIssued); issued != nil {
		reason = issued.Reason
	}
	last, _ := gateKind(recalled(a.request.Status.LastError, reason))
	if last == throttle.Unavailable && meta.IsStatusConditionTrue(there, stsv1alpha1.ConditionThrottled) {
		last = throttle.Rate // 503 with a Retry-After, which a status doesn't keep
	}
	if last != k {
		return 0
	}
	return int(a.request.Status.LastError.Attempts)
}

// asked is the first half of an attempt's name: what is asked.
func (a *attempt) asked() string { return "v1:" + digest(a.inputs) + "-" }

// identify names the attempt: what is asked, over which trust root and with which version of the
// credential. One of a chain is the request's own, and another with each token that it trades.
func (a *attempt) identify() {
	a.trust = a.credential.Transport.Identity()
	version := digest(a.credential.Identity, a.trust)
	a.presented = "v1:" + version
	a.attempted = a.asked() + version
	a.flown = a.attempted
	if a.grantType() != stsv1alpha1.GrantClientCredentials {
		// What is traded is its namespace's own, also where those who share a ClusterTokenIssuer have
		// named it alike.
		a.flown = a.asked() + digest(version, a.request.Namespace)
	}
	if a.chained() {
		a.flown = a.asked() + digest(version, string(a.request.UID))
		a.attempted = a.asked() + digest(version, string(a.request.UID), a.grant.RefreshToken.Reveal(), a.grant.DeviceCode.Reveal())
	}
}

// proven says that the token in the Secret was asked for with this very version of the credential.
func (a *attempt) proven() bool {
	return a.matches() && a.content.Record.Presented == a.presented
}

// digest makes one short word of its parts, none of which contains a NUL.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// domain is the tenancy domain: no key of one namespace meets a key of another's, but for those that
// share a ClusterTokenIssuer.
func (a *attempt) domain() string { return a.realm }

// flight is the attempt's key among the calls under way: identical attempts of one domain share one.
// That of a chain stays the same from one token to the next, since a token that couldn't be published
// is still to be collected after its successor was stored.
func (a *attempt) flight() string { return a.domain() + " " + a.flown }

// gate is the attempt as the throttle knows it. Before discovery the authority stands in for the
// token endpoint.
func (a *attempt) gate() throttle.Request {
	endpoint := a.endpoint
	if endpoint == "" {
		endpoint = string(a.issuer.Authority)
	}
	return throttle.Request{
		Domain:     a.domain(),
		Endpoint:   endpoint,
		ClientID:   a.client(),
		Scopes:     a.scopes(),
		Trust:      a.trust,
		Credential: a.credential.Identity,
		Account:    a.account(),
		Claims:     a.claims,
		Inputs:     a.inputs + a.stage(),
	}
}

// account is on whose behalf a chain goes on; everybody else acts for the client itself, or for whom
// the credential's identity tells.
func (a *attempt) account() string {
	if a.chained() {
		return string(a.request.UID)
	}
	return ""
}

// stage tells the calls of a chain apart: a refresh token that was refused says nothing of the device
// code that is to bring the next one.
func (a *attempt) stage() string {
	switch {
	case !a.chained():
		return ""
	case a.authorize:
		return " authorize"
	default:
		return " " + string(a.grant.Type)
	}
}

// client is the client in the names of gates, which people can read. One whose identifier must not be
// shown is told from its predecessor under the same reference by a few digits of its hash.
func (a *attempt) client() string {
	if a.issuer.ClientIDRef == nil {
		return a.credential.ClientID
	}
	return a.clientName() + " #" + digest(a.credential.ClientID)[:8]
}

// entraTokenPath ends the token endpoint of every Entra authority.
const entraTokenPath = "/oauth2/v2.0/token"

// authority is the issuer's, or the one that its token endpoint would belong to in Entra: a client
// there authenticates by form also where only the endpoint is named.
func (a *attempt) authority() string {
	if a.issuer.Authority != "" {
		return string(a.issuer.Authority)
	}
	return strings.TrimSuffix(string(a.issuer.TokenEndpoint), entraTokenPath)
}

func (a *attempt) scopes() []string { return plain(a.request.Spec.Scopes) }

// clientName is the client as it may be shown.
func (a *attempt) clientName() string { return credential.ClientName(a.site.IssuerNamespace, a.issuer) }

// declaredBy is the address that an issuer names: it stays the same whatever discovery tells.
func declaredBy(issuer *stsv1alpha1.IssuerSpec) string {
	return cmp.Or(string(issuer.Authority), string(issuer.TokenEndpoint))
}

// subject names the objects that a remedy points at.
func (a *attempt) subject() oautherr.Subject {
	if a.issuer == nil {
		return oautherr.Subject{Request: "TokenRequest " + a.key().String(), Issuer: a.issuerName()}
	}
	s := oautherr.Subject{
		Host:      host(cmp.Or(a.endpoint, declaredBy(a.issuer))),
		ClientID:  a.clientName(),
		Request:   "TokenRequest " + a.key().String(),
		Issuer:    a.issuerName(),
		Authority: declaredBy(a.issuer),
		Scopes:    strings.Join(a.scopes(), " "),
		Grant:     a.grant.Trades(),
		SignsIn:   a.signsIn(),
		Assertion: a.assertion,
	}
	if a.credential != nil {
		s.Credential = a.credential.Description
		s.Traded = a.credential.GrantDescription
	}
	return s
}

// host is the host of a URL, with its port where it has one.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

func plain[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
