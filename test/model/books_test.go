// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// rateKey is what a rate limit binds: whoever asks this endpoint as this client for these scopes, in one tenancy domain.
type rateKey struct{ namespace, endpoint, client, scopes string }

// outageKey is what an outage binds, and refusalKey what a refusal does.
type (
	outageKey struct {
		rateKey
		credential string
	}
	refusalKey struct {
		outageKey
		question string
	}
)

func scopeSet(scopes []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(scopes))), " ")
}

// promise is what a rate limit obliges the operator to.
type promise struct {
	opens time.Duration // in credited time: no call before
	// stored: the throttle ConfigMap has it. robbed: somebody else took it out of there again.
	stored, robbed bool
	// lost: the process died before it was stored, so nobody can know of it. excused: one call was made since that crash, for
	// each question; two that differ may both have left before the first answer.
	lost    bool
	excused map[string]bool
	// remembered: the process that lives now has seen the gate shut. trial is the call that left first after it opened.
	remembered bool
	trial      *call
}

// failure is an outage or a refusal, and how soon the same may be asked again.
type failure struct {
	call   *call
	gap    time.Duration
	stored bool
}

// books say which calls may be made. They are kept from the outside: from the calls that leave, the answers that are given,
// and what the throttle ConfigMap is seen to hold.
type books struct {
	time     *timeline
	complain func(format string, args ...any)
	promises map[rateKey]*promise
	outages  map[outageKey]*failure
	refusals map[refusalKey]*failure
	// gates is what the throttle ConfigMap holds.
	gates []storedGate
}

// The least time between an answer and the next call for the same.
const (
	gapAfterOutage  = 5 * time.Second
	gapAfterRefusal = time.Minute
	// gapWhilePropagating is for refusals that a directory gives for some minutes after a change.
	gapWhilePropagating = 5 * time.Second
)

// leaves judges a call that leaves now. A forced one is asked for by a person.
func (b *books) leaves(c *call, forced bool) {
	now := b.time.credited()
	if p := b.promises[c.key]; p != nil && p.opens > now {
		if !p.lost || p.excused[c.question] {
			b.complain("invariant 5: %v left %v before its rate gate opens", c, p.opens-now)
		}
		p.excused[c.question] = true
	}
	b.tries(c)
	if shut := b.shutBeside(c.key); len(shut) >= 2 {
		b.complain("invariant 5: %v left while %d other scope sets of its client are shut: %v", c, len(shut), shut)
	}
	if forced {
		return
	}
	if f := b.outages[c.outageKey()]; f != nil && (f.call.process == c.process || f.stored) {
		b.spaced(c, f)
	}
	if f := b.refusals[c.refusalKey()]; f != nil && f.call.process == c.process {
		b.spaced(c, f)
	}
}

// remembersOpened is how long after its opening a gate still has calls go one by one.
const remembersOpened = 15 * time.Minute

// tries judges a call that leaves after its gate has opened: it goes alone, until the answer tells whether it stays open.
func (b *books) tries(c *call) {
	p := b.promises[c.key]
	if p == nil || c.metadata || !p.remembered || p.opens > b.time.credited() || b.time.credited() >= p.opens+remembersOpened {
		return
	}
	if p.trial != nil && !p.trial.over && p.trial.process == c.process {
		b.complain("invariant 5: %v left while %v tries whether the gate stays open", c, p.trial)
	}
	p.trial = c
}

func (b *books) spaced(c *call, f *failure) {
	if since := b.time.credited() - f.call.landedCredit; since < f.gap {
		b.complain("invariant 5: %v left %v after the failure of %v; at least %v have to pass", c, since, f.call, f.gap)
	}
}

// shutBeside are the other scope sets of a client that are shut now.
func (b *books) shutBeside(key rateKey) []string {
	var shut []string
	for other, p := range b.promises {
		if other != key && other.namespace == key.namespace && other.endpoint == key.endpoint && other.client == key.client &&
			p.opens > b.time.credited() && !p.lost {
			shut = append(shut, other.scopes)
		}
	}
	return shut
}

// lands notes an answer, at the instant at which the operator gets it.
func (b *books) lands(c *call) {
	delete(b.outages, c.outageKey())
	delete(b.refusals, c.refusalKey())
	if p := b.promises[c.key]; p != nil {
		p.trial = nil
		if patient := c.answer.remember == nothing || c.answer.remember == aRefusal; patient && p.opens <= b.time.credited() {
			delete(b.promises, c.key)
		}
		if c.answer.wait == 0 {
			delete(p.excused, c.question) // the call that was to learn of it anew has learnt nothing
		}
	}
	if c.answer.wait > 0 {
		opens := b.time.credited() + c.answer.wait
		if p := b.promises[c.key]; p == nil || p.lost || p.opens < opens {
			b.promises[c.key] = &promise{opens: opens, excused: map[string]bool{}, remembered: true}
		}
	}
	switch c.answer.remember {
	case anOutage:
		b.outages[c.outageKey()] = &failure{call: c, gap: gapAfterOutage}
	case aRefusal:
		gap := gapAfterRefusal
		if c.answer.propagating {
			gap = gapWhilePropagating
		}
		b.refusals[c.refusalKey()] = &failure{call: c, gap: gap}
	case aRateLimit, nothing:
	}
}

// crashed forgets what nobody can know any more, and excuses one call for each such key.
func (b *books) crashed() {
	for _, p := range b.promises {
		p.lost = p.lost || !p.stored
		p.remembered = !p.lost && p.opens > b.time.credited()
		p.excused = map[string]bool{}
	}
}

// stillShut is how much longer a rate limit that the operator lost holds at the token service.
func (b *books) stillShut(key rateKey) (time.Duration, bool) {
	p := b.promises[key]
	if p == nil || !p.lost || p.opens <= b.time.credited() {
		return 0, false
	}
	return (p.opens - b.time.credited() + time.Second - 1).Truncate(time.Second), true
}

// storedGate is a gate as the ConfigMap shows it to people.
type storedGate struct {
	Kind, Domain, Endpoint, Client string

	Scopes     []string
	Until      time.Time
	Remembered struct{ CorrelationID string }
}

func (g storedGate) key() rateKey {
	return rateKey{strings.TrimPrefix(g.Domain, "ns/"), g.Endpoint, g.Client, scopeSet(g.Scopes)}
}

// gatesOf reads the ConfigMap; nil is one that doesn't exist.
func gatesOf(m *corev1.ConfigMap) []storedGate {
	var gates []storedGate
	if m == nil {
		return nil
	}
	for _, text := range m.Data {
		var g storedGate
		if json.Unmarshal([]byte(text), &g) == nil {
			gates = append(gates, g)
		}
	}
	return gates
}

// has says whether the ConfigMap holds a gate of that kind, whatever its instants.
func (b *books) has(kind string, key rateKey) bool {
	return slices.ContainsFunc(b.gates, func(g storedGate) bool { return g.Kind == kind && g.key() == key })
}

func (b *books) hasFailure(f *failure) bool {
	return slices.ContainsFunc(b.gates, func(g storedGate) bool {
		return g.Kind == "Unavailable" && g.Remembered.CorrelationID == f.call.id
	})
}

// writes notes what the operator has written into the ConfigMap: every gate that is shut.
func (b *books) writes(m *corev1.ConfigMap) {
	b.gates = gatesOf(m)
	for key, p := range b.promises {
		p.stored, p.robbed = b.has("Rate", key), false
		if p.opens > b.time.credited() && !p.lost && !p.stored {
			b.complain("invariant 5: the ConfigMap was written without the gate of %v, which is shut for another %v", key, p.opens-b.time.credited())
		}
	}
	for _, f := range b.outages {
		f.stored = b.hasFailure(f)
	}
}

// edited notes what somebody else has made of the ConfigMap.
func (b *books) edited(m *corev1.ConfigMap) {
	b.gates = gatesOf(m)
	for key, p := range b.promises {
		kept := b.has("Rate", key)
		p.robbed = p.robbed || p.stored && !kept
		p.stored = p.stored && kept
	}
	for _, f := range b.outages {
		f.stored = f.stored && b.hasFailure(f)
	}
}

// shown judges a status that is about to tell of a call's failure: the gate that it shut has to be stored by then.
func (b *books) shown(c *call) {
	p := b.promises[c.key]
	if c.answer.wait > 0 && p != nil && p.opens > b.time.credited() && !p.lost && !p.robbed && !b.has("Rate", c.key) {
		b.complain("invariant 5: a status says Throttled after %v, and the ConfigMap doesn't hold the gate", c)
	}
}
