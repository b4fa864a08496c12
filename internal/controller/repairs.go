// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"tokenrequest.dev/operator/internal/schedule"
)

// A Secret that was deleted or edited is repaired at once, but not for ever: two writers that fight
// over one Secret have brought clusters down (cert-manager#4846: 25,000 requests; cert-manager#6714:
// 48,000).
const (
	// freeRepairs are made without delay.
	freeRepairs = 3
	// firstRepairDelay follows them, and doubles with each further repair up to longestRepairDelay.
	firstRepairDelay   = 10 * time.Second
	longestRepairDelay = 10 * time.Minute
	// repairMemory is how long after its last repair an object is forgotten.
	repairMemory = 30 * time.Minute
)

// Repairs remembers how often each object's Secret had to be repaired lately. Make it with
// NewRepairs; it is safe for concurrent use.
type Repairs struct {
	mu   sync.Mutex
	made map[types.UID]repair
}

type repair struct {
	secret string // its name
	count  int
	last   time.Time
}

// NewRepairs returns a memory of no repairs.
func NewRepairs() *Repairs { return &Repairs{made: map[types.UID]repair{}} }

// hold says until when the next repair has to wait, and whether it has to.
func (r *Repairs) hold(a *attempt, is repairing) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	made := r.of(a)
	if !is(a, made) || made.count < freeRepairs {
		return time.Time{}, false
	}
	delay := min(firstRepairDelay<<min(made.count-freeRepairs, 10), longestRepairDelay)
	until := made.last.Add(delay)
	return until, a.now.Before(until)
}

// of are the repairs of an object's Secret that still count.
func (r *Repairs) of(a *attempt) repair {
	made := r.made[a.request.UID]
	if made.secret != a.request.SecretName() || a.now.Sub(made.last) > repairMemory {
		return repair{}
	}
	return made
}

// note counts a repair that was made.
func (r *Repairs) note(a *attempt, is repairing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	made := r.of(a)
	if !is(a, made) {
		return
	}
	for uid, old := range r.made {
		if a.now.Sub(old.last) > repairMemory {
			delete(r.made, uid)
		}
	}
	r.made[a.request.UID] = repair{secret: a.request.SecretName(), count: made.count + 1, last: a.now}
}

// repairing tells the work that only somebody else's hand on the Secret causes from what is ours.
type repairing func(a *attempt, made repair) bool

// isReissue says so of another token. That a Secret is missing counts too once it was repaired: while a repair
// waits, the status knows of no token.
func isReissue(a *attempt, made repair) bool {
	switch a.decision.Why {
	case schedule.WhySecretMissing:
		return heldSecret(a.request) || made.count > 0
	case schedule.WhySecretDrifted:
		return true
	default:
		return false
	}
}

// isRedress says so of the form, labels and annotations of the token that is there, whether or not another is
// due. Whoever edits the spec has them change too.
func isRedress(a *attempt, _ repair) bool {
	return a.holding.Secret != nil && a.request.Status.ObservedGeneration == a.request.Generation
}
