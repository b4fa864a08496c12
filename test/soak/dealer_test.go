// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"tokenrequest.dev/operator/test/stssim"
)

// Two faults that are no rule's.
const (
	throttled      = "a throttle that counts who comes too early"
	cutConnections = "connections that end before TLS"
)

// dealer makes the STS fail: single calls of single requests, and episodes of whole tenants.
type dealer struct {
	dice           *rand.Rand
	all            []*patient
	common, lonely *stssim.Server

	mu        sync.Mutex
	dealt     int
	deck      []fault
	outages   map[string][]span
	cuts      []span
	throttles map[string]time.Time // by client and scope, the last of each
	patience  int                  // how many throttles there were
}

func newDealer(dice *rand.Rand, all []*patient, common, lonely *stssim.Server) *dealer {
	return &dealer{
		dice: dice, all: all, common: common, lonely: lonely,
		outages: map[string][]span{}, throttles: map[string]time.Time{},
	}
}

// singles deals a fault to the next call of a request, over and over.
func (d *dealer) singles(ctx context.Context) {
	defer GinkgoRecover()
	every(ctx, 300*time.Millisecond, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		p := d.all[d.dice.IntN(len(d.all))]
		if d.dealt++; d.dealt%15 == 0 || d.dealt%3 == 1 && !d.throttledAnybody() {
			d.throttle(p)
			return
		}
		f := d.draw()
		Expect(p.sts.AddRules(stssim.Rule{
			Name: fmt.Sprintf("%s#%d", f.name, d.dealt), Times: 1, Action: f.action,
			Match: stssim.Match{Kind: stssim.KindToken, ClientID: p.client, Scope: p.scope()},
		})).To(Succeed())
	})
}

// draw is the next fault: each as often as its weight before any comes again, and every third time one
// that no call has met yet, since a request that is held back may never meet its own.
func (d *dealer) draw() fault {
	if unmet := d.unmet(); d.dealt%3 == 0 && len(unmet) > 0 {
		return unmet[d.dice.IntN(len(unmet))]
	}
	if len(d.deck) == 0 {
		for _, f := range faults() {
			for range f.weight {
				d.deck = append(d.deck, f)
			}
		}
		d.dice.Shuffle(len(d.deck), func(i, j int) { d.deck[i], d.deck[j] = d.deck[j], d.deck[i] })
	}
	f := d.deck[0]
	d.deck = d.deck[1:]
	return f
}

// unmet are the faults that no call has met yet.
func (d *dealer) unmet() []fault {
	met := map[string]bool{}
	for _, rule := range append(d.common.Rules(), d.lonely.Rules()...) {
		if rule.Acted > 0 {
			name, _, _ := strings.Cut(rule.Name, "#")
			met[name] = true
		}
	}
	return slices.DeleteFunc(faults(), func(f fault) bool { return met[f.name] })
}

// throttledAnybody says that a call has met a throttle: one lasts for seconds, in which its request may not ask at all.
func (d *dealer) throttledAnybody() bool {
	refused := stssim.Filter{Status: http.StatusTooManyRequests}
	return slices.ContainsFunc(append(d.common.Calls(refused), d.lonely.Calls(refused)...), isThrottled)
}

// isThrottled says that a throttle has refused the call: no rule did.
func isThrottled(c stssim.Call) bool { return c.Rule == "" && c.Status == http.StatusTooManyRequests }

// unshown names what no call has met yet.
func (d *dealer) unshown() []string {
	var names []string
	for _, f := range d.unmet() {
		names = append(names, f.name)
	}
	if !d.throttledAnybody() {
		names = append(names, throttled)
	}
	if d.lonely.ClosedConnections() == 0 {
		names = append(names, cutConnections)
	}
	return names
}

// throttle has the simulator watch the request's patience. Who shares a scope isn't watched: two gates
// learn of one throttle by one call each.
func (d *dealer) throttle(p *patient) {
	key := p.client + " " + p.scope()
	if p.scope() == "shared-of-"+p.tenant || time.Now().Before(d.throttles[key]) {
		return
	}
	length := time.Duration(3+d.dice.IntN(8)) * time.Second
	d.patience++
	d.throttles[key] = time.Now().Add(length)
	Expect(p.sts.SetThrottle(stssim.Throttle{
		ClientID: p.client, Scope: p.scope(), For: stssim.Duration(length), HTTPDate: d.dice.IntN(2) == 0,
	})).To(Succeed())
}

// episodes makes whole tenants fail: most for less time than a token has left when it is due, some on
// purpose for longer.
func (d *dealer) episodes(ctx context.Context) {
	defer GinkgoRecover()
	var lasting []fault
	for _, f := range faults() {
		if f.lasts {
			lasting = append(lasting, f)
		}
	}
	// An episode is of 7 s on average, begun every 2.5 s among eight tenants: each fails in a third of its time.
	every(ctx, 2500*time.Millisecond, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		length := time.Duration(2000+d.dice.IntN(6000)) * time.Millisecond
		if d.dice.IntN(12) == 0 {
			length = time.Duration(25+d.dice.IntN(20)) * time.Second
		}
		p := d.all[d.dice.IntN(len(d.all))]
		began := time.Now()
		cutting := len(d.cuts) > 0 && !began.After(d.cuts[len(d.cuts)-1].to)
		// The first cut may fall between two refreshes, when nobody connects.
		if !cutting && (d.lonely.ClosedConnections() == 0 || p.sts == d.lonely && d.dice.IntN(2) == 0) {
			d.cut(ctx, length)
			return
		}
		f := lasting[d.dice.IntN(len(lasting))]
		d.dealt++
		Expect(p.sts.AddRules(stssim.Rule{
			Name: fmt.Sprintf("%s#%d", f.name, d.dealt), For: stssim.Duration(length), Action: f.action,
			Match: stssim.Match{Tenant: p.tenant},
		})).To(Succeed())
		if f.taken != granted {
			d.outages[p.tenant] = append(d.outages[p.tenant], span{began, began.Add(length)})
		}
	})
}

// cut breaks every new connection to the lonely STS for some time. One at a time: its end is the end of all.
func (d *dealer) cut(ctx context.Context, length time.Duration) {
	began := time.Now()
	d.cuts = append(d.cuts, span{began, began.Add(length)})
	tenant := fmt.Sprintf("soak-%d", tenants-1)
	d.outages[tenant] = append(d.outages[tenant], span{began, began.Add(length)})
	d.lonely.CloseConnections(1 << 30)
	go func() {
		select {
		case <-time.After(length):
		case <-ctx.Done():
		}
		d.lonely.CloseConnections(0)
	}()
}

// heal ends all faults.
func (d *dealer) heal() {
	for _, sim := range []*stssim.Server{d.common, d.lonely} {
		sim.ClearRules()
		sim.ClearThrottles()
		sim.CloseConnections(0)
	}
}

// every calls what it is given until the context ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}
