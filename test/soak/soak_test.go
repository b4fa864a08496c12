// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"tokenrequest.dev/operator/test/stssim"
)

// soak is one run and who takes part in it.
type soak struct {
	seed                      uint64
	length, soaked, recovery  time.Duration
	healed                    time.Time
	common, lonely            *stssim.Server
	all                       []*patient
	dealer                    *dealer
	killer                    *killer
	gardener                  *gardener
	reader                    *reader
	secretWrites, otherWrites float64
}

// prepare makes the world. Each who takes part has dice of its own, so that what one does when doesn't
// change what another draws.
func prepare(ctx SpecContext) *soak {
	GinkgoHelper()
	s := &soak{seed: seed(), length: length(), common: startSTS(), lonely: startSTS()}
	GinkgoWriter.Printf("SOAK=%s SEED=%d\n", s.length, s.seed)
	dice := func(of uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, of)) }
	s.all = admit(ctx, dice(0), s.common, s.lonely)
	s.dealer = newDealer(dice(1), s.all, s.common, s.lonely)
	s.killer = &killer{dice: dice(2), all: len(s.all)}
	s.gardener = newGardener(dice(3), s.all)
	s.reader = newReader(s.all, s.gardener.deletedSince)
	s.secretWrites = cluster.Writes(ctx, "secrets")
	s.otherWrites = cluster.Writes(ctx, "tokenrequests", "configmaps", "events")
	return s
}

// run lets all loose on each other for the length of the soak at least, and the reader until the STS, healthy
// again, has given everybody a token.
func (s *soak) run(ctx SpecContext) {
	GinkgoHelper()
	s.killer.start(ctx)
	Eventually(func() []string { return unready(ctx) }).Should(BeEmpty())
	soaking, end := context.WithCancel(ctx)
	defer end()
	began := time.Now()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var actors, readers sync.WaitGroup
	readers.Go(func() { s.reader.watch(reading, ctx) })
	actors.Go(func() { s.dealer.singles(soaking) })
	actors.Go(func() { s.dealer.episodes(soaking) })
	actors.Go(func() { s.killer.haunt(soaking, ctx) })
	actors.Go(func() { s.gardener.tend(soaking, ctx) })
	select {
	case <-time.After(s.length):
	case <-ctx.Done():
	}
	// What of it happens is the dice's and the machine's: on a slow one an operator is down for half of a short soak.
	Eventually(s.dealer.unshown).WithTimeout(2*s.length).Should(BeEmpty(), "what the run was to show, and no call has met")
	end()
	actors.Wait()
	s.soaked = time.Since(began)

	s.dealer.heal()
	s.healed = time.Now()
	// A refusal holds for minutes. Who knows that the STS is well again asks for a refresh, which passes over all but a Retry-After.
	for _, p := range s.all {
		edit(ctx, p, refreshNow)
	}
	Eventually(func() []string { return unready(ctx) }).Should(BeEmpty())
	s.recovery = time.Since(s.healed)
	stop()
	readers.Wait()
}

var _ = Describe("An STS that fails a third of the time, and an operator that is killed at random", func() {
	It("show a reader no token that is expired, empty or half-written, unless the outage outlasted it", func(ctx SpecContext) {
		s := prepare(ctx)
		s.run(ctx)
		r := s.report(ctx)
		AddReportEntry("soak", r.String(), ReportEntryVisibilityAlways)

		Expect(s.reader.problems).To(BeEmpty(), "seed %d", s.seed)
		Expect(r.empty + r.broken + r.vanished).To(BeZero())
		Expect(r.violations).To(BeEmpty(), "calls while a Retry-After ran; seed %d", s.seed)
		Expect(r.leaks).To(BeEmpty())

		// What the run was to show has happened in it.
		for _, f := range faults() {
			Expect(r.met).To(HaveKey(f.name))
		}
		Expect(r.met).To(HaveKey(throttled))
		Expect(r.met[cutConnections]).To(BeNumerically(">", 0))
		Expect(r.kills).To(BeNumerically(">", 0))
		Expect(r.excused).To(BeNumerically(">", 0), "some outages are made to outlast a token")

		// Each attempt writes a status once, each answer a Secret once; edits, expiries and restarts add to both.
		edits := len(s.all)
		for _, n := range r.edits {
			edits += n
		}
		touched := edits + r.requests*(2+r.kills+r.stops) + r.excused
		Expect(r.secretWrites).To(BeNumerically("<=", r.issued+touched), "writes of Secrets")
		Expect(r.otherWrites).To(BeNumerically("<=", 3*r.calls+2*touched), "writes of TokenRequests, events and gates")
		if s.length != shortForm {
			s.prompt(r)
		}
	})
})

// prompt holds the operator to what it may take. The short form reports it alone: it shares its machine with
// other suites, under the race detector, and how fast that machine is no test may judge.
func (s *soak) prompt(r *report) {
	GinkgoHelper()
	Expect(r.unexcused).To(BeEmpty(), "tokens that were read expired although the operator could have replaced them; seed %d", s.seed)
	// A token that no Secret ever showed was asked for in vain: as an operator was killed, or replaced within two reads.
	Expect(r.issued-r.spoiled-r.shown).To(BeNumerically("<=", r.issued/20+16*(r.kills+1)), "tokens issued for nobody")
}
