// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// report is a run in figures.
type report struct {
	seed                               uint64
	length, recovery                   time.Duration
	requests, reads, issued, rotations int
	shown, spoiled                     int
	met                                map[string]int
	calls, failed                      int
	downtime, slow                     time.Duration
	kills, stops                       int
	edits                              map[string]int
	empty, broken, vanished            int
	excused, byService, byOperator     int
	unexcused                          []string
	gap, chance                        time.Duration
	gapOf                              string
	throttles, unwritten               int
	failing                            int // per cent of the tenants' time
	violations                         []string
	secretWrites, otherWrites          float64
	leaks                              []string
}

// evidence gathers what the excuses rest on.
func (s *soak) evidence() *evidence {
	e := &evidence{
		faults: map[string]*fault{}, calls: map[*stssim.Server][]stssim.Call{}, down: s.killer.down,
		outages: s.dealer.outages, cuts: s.dealer.cuts, suspended: s.gardener.suspended,
		throttles: s.dealer.throttles, published: map[*patient][]time.Time{}, lonely: s.lonely,
	}
	for _, token := range s.reader.tokens {
		e.published[token.patient] = append(e.published[token.patient], token.issued)
	}
	for _, f := range faults() {
		e.faults[f.name] = &f
	}
	for _, sim := range []*stssim.Server{s.common, s.lonely} {
		e.calls[sim] = sim.Calls(stssim.Filter{})
	}
	return e
}

// report draws up the figures.
func (s *soak) report(ctx SpecContext) *report {
	GinkgoHelper()
	r := &report{
		seed: s.seed, length: s.soaked, recovery: s.recovery, requests: len(s.all),
		reads: s.reader.reads, rotations: s.reader.rotations, shown: s.reader.shown(), throttles: s.dealer.patience, met: map[string]int{},
		slow: s.killer.slow, kills: len(s.killer.kills), stops: s.killer.stops, edits: s.gardener.edits,
		empty: s.reader.empty, broken: s.reader.broken, vanished: s.reader.vanished,
	}
	e := s.evidence()
	for _, span := range e.down {
		r.downtime += span.to.Sub(span.from)
	}
	var failing time.Duration
	for _, spans := range e.outages {
		for _, span := range spans {
			failing += earliest(span.to, s.healed).Sub(span.from)
		}
	}
	r.failing = int(100 * failing / (tenants * s.soaked))
	r.judge(s, e)
	for sim, calls := range e.calls {
		r.issued += len(sim.Issued())
		r.count(e, calls)
		r.patience(s, sim)
	}
	r.met[cutConnections] = s.lonely.ClosedConnections()
	r.secretWrites = cluster.Writes(ctx, "secrets") - s.secretWrites
	r.otherWrites = cluster.Writes(ctx, "tokenrequests", "configmaps", "events") - s.otherWrites
	r.leaks = s.leaks(ctx)
	return r
}

// judge excuses the tokens that were read after they had expired, or doesn't.
func (r *report) judge(s *soak, e *evidence) {
	for _, token := range s.reader.tokens {
		if token.expired.IsZero() {
			continue
		}
		if gap := token.expired.Sub(token.dead); gap > r.gap {
			r.gap, r.gapOf = gap, token.patient.String()
		}
		window := span{token.due, token.expired}
		missed := chance(window, e.excuses(token.patient, s.all))
		if missed < grace {
			r.excused++
			r.blame(s, e, token, window)
			r.chance = max(r.chance, missed)
			continue
		}
		r.unexcused = append(r.unexcused, fmt.Sprintf("%s: due %s, dead %s, last read %s, the operator had %s; %s", token.patient,
			clock(token.due), clock(token.dead), clock(token.expired), missed.Round(time.Second/10), e.story(token.patient, window)))
	}
}

// blame says which alone would have been excuse enough: that the STS, or the request's owner, was unwilling,
// or that the operator was down.
func (r *report) blame(s *soak, e *evidence, token *reading, window span) {
	up := *e
	up.down = nil
	switch {
	case chance(window, up.excuses(token.patient, s.all)) < grace:
		r.byService++
	case chance(window, slices.Clone(e.down)) < grace:
		r.byOperator++
	}
}

// story tells what was tried within a window.
func (e *evidence) story(p *patient, window span) string {
	var list []string
	for _, a := range e.attempts(p) {
		if a.at.Before(window.from.Add(-time.Minute)) || a.at.After(window.to) {
			continue
		}
		what := "a token"
		if a.fault != nil {
			what = a.fault.name
		}
		list = append(list, clock(a.at)+" "+what)
	}
	for _, d := range e.down {
		if d.to.After(window.from) && d.from.Before(window.to) {
			list = append(list, "down from "+clock(d.from)+" to "+clock(d.to))
		}
	}
	return strings.Join(list, ", ")
}

func clock(at time.Time) string { return at.UTC().Format("15:04:05.0") }

// count counts the calls, and the faults that they met.
func (r *report) count(e *evidence, calls []stssim.Call) {
	for _, call := range calls {
		r.calls++
		f := e.of(call)
		switch {
		case f != nil:
			r.met[f.name]++
			if f.taken != granted {
				r.failed++
			}
			if f.spoils() {
				r.spoiled++
			}
		case isThrottled(call):
			r.met[throttled]++
			r.failed++
		}
	}
}

// unwrittenYet is how long an operator may take to store what it was told: what it hears less before
// it is killed is lost with it, and nobody's violation.
const unwrittenYet = 2 * time.Second

// patience sorts the calls that came while a Retry-After ran.
func (r *report) patience(s *soak, sim *stssim.Server) {
	for _, v := range sim.ThrottleViolations() {
		told := s.dealer.announced(sim, v)
		if slices.ContainsFunc(s.killer.kills, func(kill time.Time) bool {
			return kill.After(told.Add(-unwrittenYet)) && kill.Before(told.Add(unwrittenYet))
		}) {
			r.unwritten++
			continue
		}
		r.violations = append(r.violations, fmt.Sprintf("%s asked at %s, told at %s to wait until %s", v.ClientID, clock(v.At), clock(told), clock(v.Until)))
	}
}

// announced is when the caller was told of the throttle that it violated.
func (d *dealer) announced(sim *stssim.Server, v stssim.Violation) time.Time {
	for _, call := range sim.Calls(stssim.Filter{ClientID: v.ClientID, Scope: v.Scope}) {
		if isThrottled(call) && !call.Violation && call.At.After(v.Until.Add(-15*time.Second)) {
			return call.At
		}
	}
	return time.Time{}
}

// leaks looks for secrets and for a sample of the tokens in everything that is shown. Every JWT begins
// with a marker that is looked for too.
func (s *soak) leaks(ctx SpecContext) []string {
	GinkgoHelper()
	canaries := map[string]string{}
	for _, sim := range []*stssim.Server{s.common, s.lonely} {
		issued := sim.Issued()
		for i, token := range issued[max(len(issued)-20, 0):] {
			canaries[fmt.Sprintf("token %d", i)] = token
		}
		for _, c := range sim.Clients() {
			for _, secret := range c.Secrets {
				canaries["the secret of "+c.ID] = secret.Value
			}
		}
	}
	canaries["the marker of JWTs"] = stssim.JWTMarker
	return operator.Leaks(cluster.Shown(ctx, s.killer.runs...), canaries)
}

// String is the report as people read it.
func (r *report) String() string {
	var b strings.Builder
	line := func(name, format string, values ...any) {
		fmt.Fprintf(&b, "  %-28s"+format+"\n", append([]any{name}, values...)...)
	}
	fmt.Fprintf(&b, "Soaked for %s, seed %d\n", r.length.Round(time.Second), r.seed)
	line("requests", "%d in %d namespaces", r.requests, tenants)
	line("reads of a Secret", "%d", r.reads)
	line("tokens issued", "%d, of which %d were spoiled on their way and %d seen in a Secret; %d rotations", r.issued, r.spoiled, r.shown, r.rotations)
	line("calls to the STS", "%d, of which %d failed (%d %%)", r.calls, r.failed, 100*r.failed/max(r.calls, 1))
	line("STS failing", "%d %% of the tenants' time, besides single calls", r.failing)
	line("operator killed", "%d times, rolled out %d times; down for %s in all, of which", r.kills, r.stops, r.downtime.Round(time.Second))
	line("", "at most %s each to go through all requests, once it had the lease", r.slow.Round(time.Second/10))
	line("read expired, excused", "%d tokens: since each was due, the longest time without an outage, a backoff", r.excused)
	line("", "or a Retry-After was %s, of %s that the operator may take", r.chance.Round(time.Second/10), grace)
	line("", "%d by the STS alone, %d by a dead operator alone, %d by both together", r.byService, r.byOperator, r.excused-r.byService-r.byOperator)
	line("read expired, unexcused", "%d tokens", len(r.unexcused))
	line("longest expired", "%s (%s)", r.gap.Round(time.Second/10), cmp.Or(r.gapOf, "none"))
	line("empty, half-written, gone", "%d, %d, %d reads", r.empty, r.broken, r.vanished)
	line("calls against Retry-After", "%d in %d throttles, and %d whose news died with a killed operator", len(r.violations), r.throttles, r.unwritten)
	line("leaks", "%d", len(r.leaks))
	line("writes to the API server", "%.0f of Secrets, %.0f of TokenRequests, events and gates", r.secretWrites, r.otherWrites)
	line("all Ready again after", "%s", r.recovery.Round(time.Second/10))
	for _, what := range slices.Concat(r.unexcused, r.violations, r.leaks) {
		line("WRONG", "%s", what)
	}
	for _, what := range slices.Sorted(maps.Keys(r.edits)) {
		line("edits", "%4d %s", r.edits[what], what)
	}
	for _, name := range slices.Sorted(maps.Keys(r.met)) {
		line("faults", "%4d %s", r.met[name], name)
	}
	return b.String()
}

// unready are the requests without a good token.
func unready(ctx SpecContext) []string {
	GinkgoHelper()
	list := &stsv1alpha1.TokenRequestList{}
	gomega.Expect(cluster.API.List(ctx, list)).To(gomega.Succeed())
	var names []string
	for _, r := range list.Items {
		for _, c := range r.Status.Conditions {
			if c.Type == stsv1alpha1.ConditionIssued && c.Status != "True" || c.Type == stsv1alpha1.ConditionReady && c.Status != "True" {
				names = append(names, client.ObjectKeyFromObject(&r).String()+" "+c.Type+" "+c.Reason)
			}
		}
	}
	return names
}
