// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"

	"tokenrequest.dev/operator/test/bench/report"
	"tokenrequest.dev/operator/test/operator"
)

// meter measures what happens between two instants. The API server's metrics are read outside of them,
// for that costs it as much as a hundred requests.
type meter struct {
	stage   *stage
	process *process
	traffic map[operator.Asked]float64
	call    int
	cpu     time.Duration
	start   time.Time
}

// measure begins; a process that is yet to start may be absent.
func (s *stage) measure(ctx SpecContext, p *process) *meter {
	GinkgoHelper()
	m := &meter{stage: s, process: p, traffic: s.cluster.Traffic(ctx), call: s.lastCall()}
	if p != nil {
		m.cpu = p.cpu()
	}
	m.start = time.Now()
	return m
}

// usage is what there was of each kind.
type usage struct {
	calls   int
	written map[string]float64 // by what
	read    float64
}

// spent ends the processor's part of the measurement.
func (m *meter) spent() time.Duration {
	GinkgoHelper()
	return m.process.cpu() - m.cpu
}

// watched are the resources whose writes count. The API server's own are leases and its flow control; the
// operator's lease is written for as long as it lives; reviews are questions, and nothing is kept of them.
func watched() map[string]string {
	return map[string]string{
		"secrets": "secret", "tokenrequests": "status", "tokenissuers": "status", "clustertokenissuers": "status",
		"events": "event", "configmaps": "configMap",
	}
}

// usage reads all that has been counted since the beginning. What the bench itself writes doesn't count:
// it creates and deletes TokenRequests, and the operator writes their status alone.
func (m *meter) usage(ctx SpecContext) usage {
	GinkgoHelper()
	u := usage{calls: len(m.stage.calls(m.call)), written: map[string]float64{}}
	for asked, n := range m.stage.cluster.Traffic(ctx) {
		n -= m.traffic[asked]
		what, counts := watched()[asked.Resource]
		switch {
		case !counts || n == 0 || asked.Resource == "tokenrequests" && asked.Subresource == "" && asked.Verb == "POST":
		case asked.Writes():
			u.written[what] += n
		case asked.Verb == "GET" || asked.Verb == "LIST":
			u.read += n
		}
	}
	return u
}

// writes is how many there were of all kinds.
func (u usage) writes() (total float64) {
	for _, n := range u.written {
		total += n
	}
	return total
}

// perObject has the writes of each kind, and all, for each of n objects.
func (u usage) perObject(f report.Figures, n int) {
	for _, what := range watched() {
		f[what+"WritesPerObject"] = u.written[what] / float64(n)
	}
	f["writesPerObject"] = u.writes() / float64(n)
	f["readsPerObject"] = u.read / float64(n)
}

// finish waits until nothing is left to do, adds what it took for each of n objects, and stops the process.
func (m *meter) finish(ctx SpecContext, f report.Figures, n int) {
	GinkgoHelper()
	m.stage.settle(ctx, m.process)
	u := m.usage(ctx)
	f["stsCalls"] = float64(u.calls)
	u.perObject(f, n)
	f["rssSettledMiB"], f["rssMiB"] = m.process.rss()
	m.process.Stop()
}
