// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// reader reads all Secrets, as pods do, and judges each by what the STS knows of the token in it.
type reader struct {
	patients map[client.ObjectKey]*patient // by their Secrets
	deleted  func(*patient, time.Time) bool

	reads     int
	rotations int
	tokens    map[string]*reading // by Secret and access token
	present   map[*patient]*reading
	seen      map[*patient]time.Time
	problems  map[string]string // which Secret: what is wrong with it, without its content
	empty     int
	broken    int
	vanished  int
}

// reading is a token as it was first read, and when it was read last although it had expired.
type reading struct {
	patient   *patient
	told      string    // what stands beside the token
	issued    time.Time // by the STS
	due, dead time.Time
	expired   time.Time
}

func newReader(all []*patient, deleted func(*patient, time.Time) bool) *reader {
	r := &reader{
		patients: map[client.ObjectKey]*patient{}, deleted: deleted, tokens: map[string]*reading{},
		present: map[*patient]*reading{}, seen: map[*patient]time.Time{}, problems: map[string]string{},
	}
	for _, p := range all {
		r.patients[client.ObjectKey{Namespace: p.tenant, Name: p.secret}] = p
	}
	return r
}

// watch reads until the context ends.
func (r *reader) watch(until, ctx context.Context) {
	defer GinkgoRecover()
	every(until, 200*time.Millisecond, func() { r.look(ctx) })
}

// look lists all Secrets of the operator's once, from the API server itself.
func (r *reader) look(ctx context.Context) {
	GinkgoHelper()
	asked := time.Now()
	list := &corev1.SecretList{}
	Expect(cluster.API.List(ctx, list, client.MatchingLabels{stsv1alpha1.LabelManaged: stsv1alpha1.LabelManagedValue})).To(Succeed())
	found := map[*patient]bool{}
	for i := range list.Items {
		s := &list.Items[i]
		if p := r.patients[client.ObjectKeyFromObject(s)]; p != nil {
			found[p] = true
			r.read(p, s, asked)
		}
	}
	for p, at := range r.seen {
		if !found[p] {
			if !r.deleted(p, at.Add(-time.Second)) {
				r.vanished++
				r.problems[p.String()] = "its Secret went, and nobody had deleted it"
			}
			delete(r.seen, p)
		}
	}
}

// read judges one Secret by a time at which it certainly stood so: not before the list was asked for.
func (r *reader) read(p *patient, s *corev1.Secret, asked time.Time) {
	r.reads++
	r.seen[p] = asked
	token := string(s.Data["access_token"])
	if token == "" {
		r.empty++
		r.problems[p.String()] = "its Secret has no token"
		return
	}
	now, problem := inspect(p, s)
	key := s.Namespace + "/" + s.Name + " " + token
	if before := r.tokens[key]; problem == "" && before != nil && before.told != now.told {
		problem = "what stands beside the token changed, and the token didn't"
	}
	if problem != "" {
		r.broken++
		r.problems[p.String()] = problem
		return
	}
	if r.tokens[key] == nil {
		r.tokens[key] = now
		if r.present[p] != nil {
			r.rotations++
		}
	}
	now = r.tokens[key]
	r.present[p] = now
	if !asked.Before(now.dead) {
		now.expired = asked
	}
}

// inspect holds everything in the Secret against what the STS issued: all of it has to be of one
// answer. It says what isn't, without quoting it.
func inspect(p *patient, s *corev1.Secret) (*reading, string) {
	issue, found := p.sts.Lookup(string(s.Data["access_token"]))
	expires, err := time.Parse(time.RFC3339, string(s.Data["expires_at"]))
	due, badDue := time.Parse(time.RFC3339, s.Annotations[stsv1alpha1.AnnotationRefreshAt])
	issued, badIssued := time.Parse(time.RFC3339, s.Annotations[stsv1alpha1.AnnotationIssuedAt])
	switch {
	case !found:
		return nil, "its token was never issued"
	case issue.Tenant != p.tenant || issue.ClientID != p.client || issue.Scope != p.scope():
		return nil, "its token was issued to somebody else"
	case p.shaped() != (string(s.Data[authorization]) == "Bearer "+string(s.Data["access_token"])):
		return nil, "its header isn't of its token"
	case string(s.Data["token_type"]) != "Bearer":
		return nil, "its token_type is another"
	case err != nil || badDue != nil || badIssued != nil:
		return nil, "its instants aren't all there"
	case string(s.Data["expires_at"]) != s.Annotations[stsv1alpha1.AnnotationExpiresAt]:
		return nil, "its record tells another expiry than its data"
	case !near(expires, issue.ExpiresAt):
		return nil, fmt.Sprintf("its expiry is %s off its token's", expires.Sub(issue.ExpiresAt))
	case !near(issued, issue.IssuedAt):
		return nil, fmt.Sprintf("its issue is %s off its token's", issued.Sub(issue.IssuedAt))
	}
	told := fmt.Sprint(expires, due, issued, string(s.Data["scope"]))
	return &reading{patient: p, told: told, issued: issue.IssuedAt, due: due, dead: earliest(expires, issue.ExpiresAt)}, ""
}

// near allows for whole seconds, and for a token's life being counted from when it was asked for.
func near(told, known time.Time) bool {
	return !told.After(known.Add(time.Second)) && !told.Before(known.Add(-timeout-time.Second))
}

// shown is how many tokens were read, each counted once in however many Secrets it stands.
func (r *reader) shown() int {
	distinct := map[string]bool{}
	for key := range r.tokens {
		_, token, _ := strings.Cut(key, " ")
		distinct[token] = true
	}
	return len(distinct)
}
