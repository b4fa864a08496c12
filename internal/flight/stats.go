// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package flight

// Stats counts what a pool holds at one moment.
type Stats struct {
	// Running is the number of calls under way.
	Running int
	// Queued is the number of calls that wait for a slot.
	Queued int
	// Results is the number of results that are kept until their release.
	Results int
	// Domains holds the same per domain, for those that hold anything.
	Domains map[string]DomainStats
}

// DomainStats is one domain's share of Stats.
type DomainStats struct {
	Running int
	Queued  int
	Results int
}

// Stats counts what the pool holds now.
func (p *Pool[K, W, R]) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	s := Stats{Running: p.running, Results: p.kept.Len(), Domains: make(map[string]DomainStats, len(p.domains))}
	for name, d := range p.domains {
		s.Queued += d.queued
		s.Domains[name] = DomainStats{Running: d.running, Queued: d.queued, Results: d.results}
	}
	return s
}
