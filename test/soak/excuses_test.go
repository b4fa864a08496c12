// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"slices"
	"strings"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

// The rule by which an expired token is excused, over the time from the instant at which it was due to
// be replaced until it was last seen. Within that time the operator must have had no chance, which is
// grace without interruption in which none of these was so:
//
//   - the operator was down: killed or stopped, and no successor had the lease yet and had gone through
//     all requests once;
//   - the STS failed for the whole tenant;
//   - a call of this request, or one that it shares, had failed, and the failure held it back: for what
//     Retry-After said, else for the documented backoff, which a row of failures doubles; with the
//     tenth of it that those behind one gate are spread over, and the seconds that are rounded up;
//   - two other scopes of the same client were told to wait, which shuts the client in whole;
//   - the request was suspended by its owner.
//
// grace is what the operator may take: discovery, another call's trial and the token itself have each a
// timeout, and to notice and to write it has two more, on a machine that runs all of this at once.
const grace = 5 * timeout

type span struct{ from, to time.Time }

// attempt is a call that was made for a request, or must have been on a connection that broke.
type attempt struct {
	at    time.Time
	fault *fault // nil: it was answered well
	until time.Time
}

// evidence is what is known after a run, and all that excuses rest on.
type evidence struct {
	faults    map[string]*fault
	calls     map[*stssim.Server][]stssim.Call
	down      []span
	outages   map[string][]span   // by tenant
	cuts      []span              // of the lonely STS's connections
	suspended map[*patient][]span // by their owner
	throttles map[string]time.Time
	published map[*patient][]time.Time // when the tokens were issued that its Secret showed
	lonely    *stssim.Server
}

// chance is the longest time within the window that nothing excuses.
func chance(window span, excused []span) time.Duration {
	slices.SortFunc(excused, func(a, b span) int { return a.from.Compare(b.from) })
	longest, at := time.Duration(0), window.from
	for _, s := range excused {
		if s.from.After(window.to) {
			break
		}
		longest = max(longest, s.from.Sub(at))
		if s.to.After(at) {
			at = s.to
		}
	}
	return max(longest, window.to.Sub(at))
}

// excuses are all spans in which the operator could do nothing for the request.
func (e *evidence) excuses(p *patient, all []*patient) []span {
	list := slices.Concat(e.down, e.outages[p.tenant], e.suspended[p])
	for _, h := range e.holds(p) {
		list = append(list, h.span)
	}
	return append(list, e.crowded(p, all)...)
}

// held is a span in which a failure holds a request back, and whether it was a call for patience.
type held struct {
	span
	rated bool
}

// holds are the spans in which failures of its own calls hold a request back.
func (e *evidence) holds(p *patient) []held {
	var list []held
	row := 0
	for _, a := range e.attempts(p) {
		if a.fault == nil || a.fault.taken == granted {
			if e.served(p, a.at) {
				row = 0
			}
			continue
		}
		row++
		answered := a.at.Add(min(time.Duration(a.fault.action.Latency), timeout))
		hold := a.fault.hold(row)
		if a.until.After(answered) {
			hold = a.until.Sub(answered)
		}
		// A call for patience counts in whole seconds at both ends, as does a status.
		list = append(list, held{span{a.at, answered.Add(hold + hold/10 + 2*time.Second)}, a.fault.taken == rated})
	}
	return list
}

// served says that a call brought the token that the request's own Secret then showed. The success of
// another request for the same scopes, or one that died with the operator, doesn't end a row.
func (e *evidence) served(p *patient, call time.Time) bool {
	return slices.ContainsFunc(e.published[p], func(issued time.Time) bool {
		return !issued.Before(call) && !issued.After(call.Add(timeout))
	})
}

// attempts are the calls for a request, in order.
func (e *evidence) attempts(p *patient) []attempt {
	var list []attempt
	for _, call := range e.calls[p.sts] {
		switch {
		case call.Kind == stssim.KindToken && call.ClientID == p.client && call.Scope == p.scope():
			list = append(list, e.attempt(call, p))
		case call.Kind == stssim.KindDiscovery && p.finds && call.Tenant == p.tenant && e.of(call) != nil:
			list = append(list, e.attempt(call, p))
		}
	}
	if p.sts == e.lonely {
		for _, cut := range e.cuts {
			wait := 5 * time.Second
			for at := cut.from; at.Before(cut.to); at, wait = at.Add(wait), 2*wait {
				list = append(list, attempt{at: at, fault: &fault{name: cutConnections, taken: unavailable}})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b attempt) int { return a.at.Compare(b.at) })
	return list
}

func (e *evidence) attempt(call stssim.Call, p *patient) attempt {
	if call.Rule == "" && call.Status == 429 {
		return attempt{call.At, &fault{name: throttled, taken: rated}, e.throttles[p.client+" "+p.scope()]}
	}
	return attempt{at: call.At, fault: e.of(call)}
}

// of is the fault that a call met, or nil.
func (e *evidence) of(call stssim.Call) *fault {
	name, _, _ := strings.Cut(call.Rule, "#")
	return e.faults[name]
}

// crowded are the spans in which two other scopes of the client, or more, are told to wait.
func (e *evidence) crowded(p *patient, all []*patient) []span {
	var others [][]held
	seen := map[string]bool{p.scope(): true}
	for _, other := range all {
		if other.tenant == p.tenant && other.client == p.client && !seen[other.scope()] {
			seen[other.scope()] = true
			others = append(others, e.holds(other))
		}
	}
	var list []span
	for i, some := range others {
		for _, a := range some {
			for _, more := range others[i+1:] {
				for _, b := range more {
					both := span{latest(a.from, b.from), earliest(a.to, b.to)}
					if a.rated && b.rated && both.from.Before(both.to) {
						list = append(list, both)
					}
				}
			}
		}
	}
	return list
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
