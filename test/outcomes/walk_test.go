// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// How the request of every row is named, and what it asks for.
const (
	requestName = "graph"
	clientID    = "shop"
	scope       = "https://graph.example/.default"
)

// stop is one row on the walk, with a namespace and so a tenancy domain of its own.
type stop struct {
	row
	tenant  operator.Tenant
	service service
	request *stsv1alpha1.TokenRequest
	outcome
}

// newStops gives each row its stop.
func newStops(prefix string, rows []row) []*stop {
	var stops []*stop
	for i, r := range rows {
		stops = append(stops, &stop{row: r, tenant: operator.Tenant{
			Namespace: fmt.Sprintf("%s-%03d", prefix, i), Secret: r.secret, STS: sim,
		}})
	}
	return stops
}

// walk has one run of the operator, which start starts, come to the outcomes of all stops at once. The
// run goes on.
func walk(ctx context.Context, stops []*stop, start func(flags ...string) *operator.Run) *operator.Run {
	GinkgoHelper()
	var namespaces []string
	for _, s := range stops {
		s.prepare(ctx)
		namespaces = append(namespaces, s.tenant.Namespace)
	}
	seen := watchFirst(ctx, stops)
	run := start("--allowed-hosts", allowedHosts, "--denied-cidrs", deniedCIDRs)
	// A call that has a second has to leave within it: before the crowd makes the machine slow.
	for _, s := range stops {
		if s.hasty() {
			s.create(ctx)
			Eventually(s.count).WithContext(ctx).Should(Equal(s.calls), "calls: %s", s.name)
		}
	}
	for _, s := range stops {
		if !s.hasty() {
			s.create(ctx)
		}
	}
	for _, s := range stops {
		if s.meanwhile != nil {
			s.meanwhile(ctx, s)
		}
	}
	seen.await(ctx, namespaces)
	for _, s := range stops {
		s.outcome, _ = seen.of(s.tenant.Namespace)
		if s.status.NextAttemptAt == nil {
			// What was seen first needn't be the end of it.
			Eventually(s.count).WithContext(ctx).Should(BeNumerically(">=", s.calls), "calls: %s", s.name)
		}
	}
	return run
}

// prepare makes everything but the request.
func (s *stop) prepare(ctx context.Context) {
	GinkgoHelper()
	cluster.Admit(ctx, s.tenant)
	registered := stssim.Client{Tenant: s.tenant.Namespace, ID: clientID,
		Secrets: []stssim.Secret{{Value: string(s.tenant.Credential().Data[operator.CredentialKey])}}}
	if s.client != nil {
		s.client(&registered)
	}
	Expect(sim.PutClient(registered)).To(Succeed())
	if s.with != nil {
		for _, object := range s.with(s.tenant) {
			Expect(cluster.API.Create(ctx, object)).To(Succeed(), s.name)
		}
	}
	s.request = s.tenant.Request(requestName)
	s.request.Spec.Scopes = []stsv1alpha1.Scope{scope}
	issuer := s.request.Spec.Issuer
	issuer.ClientID = clientID
	issuer.Credential.ClientSecret.Method = stsv1alpha1.ClientSecretPost
	if s.from == nil {
		s.simulate()
	} else {
		s.call(s.from())
	}
	if s.spec != nil {
		s.spec(s.request)
	}
}

// hasty says that the row's call may not take long.
func (s *stop) hasty() bool {
	issuer := s.request.Spec.Issuer
	return issuer != nil && issuer.Timeout != nil
}

// create makes the request, for as long as the node lasts: the next walk begins without it.
func (s *stop) create(ctx context.Context) {
	GinkgoHelper()
	Expect(cluster.API.Create(ctx, s.request)).To(Succeed(), s.name)
	DeferCleanup(func(ctx SpecContext) { Expect(cluster.API.Delete(ctx, s.request)).To(Succeed()) })
}

// simulate sends the request to the simulator's Entra.
func (s *stop) simulate() {
	GinkgoHelper()
	kind := stssim.KindToken
	if s.asked != "" {
		kind = s.asked
	}
	match := stssim.Match{Kind: kind, Tenant: s.tenant.Namespace, GrantType: s.only}
	rules := []stssim.Rule{{Name: s.tenant.Namespace, Match: match, Action: s.act}}
	if s.then != nil {
		rules[0].Times = 1
		rules = append(rules, stssim.Rule{Name: s.tenant.Namespace + " then", Match: match, Action: *s.then})
	}
	for other, act := range s.besides {
		rules = append(rules, stssim.Rule{Name: s.tenant.Namespace + " " + string(other), Match: stssim.Match{Kind: other, Tenant: s.tenant.Namespace}, Action: act})
	}
	Expect(sim.AddRules(rules...)).To(Succeed(), s.name)
	issuer := s.request.Spec.Issuer
	issuer.Authority = ""
	issuer.TokenEndpoint = stsv1alpha1.HTTPSURL(sim.EntraAuthority(s.tenant.Namespace) + "/oauth2/v2.0/token")
}

// call sends the request to another service.
func (s *stop) call(to service) {
	s.service = to
	issuer := s.request.Spec.Issuer
	issuer.Authority, issuer.TokenEndpoint, issuer.ProxyURL = "", stsv1alpha1.HTTPSURL(to.endpoint), stsv1alpha1.ProxyURL(to.proxy)
	issuer.TLS = nil
	if len(to.trust) > 0 {
		issuer.TLS = &stsv1alpha1.IssuerTLS{CABundle: to.trust}
	}
}

// count counts what arrived before the operator was to ask again: what was seen first is due to that
// alone.
func (s *stop) count() int {
	var until time.Time
	if next := s.status.NextAttemptAt; next != nil {
		until = next.Time
	}
	if s.from != nil {
		if s.service.arrived == nil {
			return 0
		}
		return s.service.arrived.before(until)
	}
	calls := 0
	for _, call := range sim.Calls(stssim.Filter{Tenant: s.tenant.Namespace}) {
		polled := call.GrantType == deviceGrant && call.Error == "authorization_pending"
		if !polled && (until.IsZero() || call.At.Before(until)) {
			calls++
		}
	}
	return calls
}

// stable replaces what differs from walk to walk: a loopback address with its port, the namespace, and
// user codes.
func (s *stop) stable(text string) string {
	for _, code := range sim.DeviceCodes() {
		if code.Tenant == s.tenant.Namespace {
			text = strings.ReplaceAll(text, code.UserCode, "BCDF-GHJK")
		}
	}
	text = strings.ReplaceAll(text, kubernetesIssuer, "https://kubernetes.example")
	text = loopback.ReplaceAllString(text, "sts.example")
	return strings.ReplaceAll(text, s.tenant.Namespace, "payments")
}

var loopback = regexp.MustCompile(`(127\.0\.0\.1|localhost):\d+`)
