// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle

import "time"

// trial is the one call that leaves after a gate has opened, while all others behind that gate wait for what comes of it.
type trial struct {
	gates []string // by their keys: a rate gate, an error gate, or both
	ended chan struct{}
}

// Enter is Admit for a call that is about to leave. A gate that has opened tells only that the time is over, not that the
// server is well: the first call goes alone, on trial, and whoever comes meanwhile gets a Verdict with a Trial to wait for. So
// a server that is still throttling hears from one and not from all who waited.
//
// Each call that was let in must end in Remember, Succeeded or Abandon, since others may wait for it.
func (c *Cache[E]) Enter(r Request, forced bool) Verdict[E] {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.observe()
	if v := c.admit(r, now, forced); !v.Open {
		return v
	}
	opened := c.opened(r, now, forced)
	for _, e := range opened {
		if t, ok := c.trials[e.Key()]; ok {
			v := e.verdict()
			v.Trial = t.ended
			return v
		}
	}
	if len(opened) > 0 {
		c.try(opened)
	}
	return Verdict[E]{Open: true}
}

// try begins the trial of the gates.
func (c *Cache[E]) try(gates []Entry[E]) {
	t := &trial{ended: make(chan struct{})}
	for _, e := range gates {
		t.gates = append(t.gates, e.Key())
		c.trials[e.Key()] = t
	}
}

// Abandon says that a call ended without telling anything about the server, because the operator gave it up.
func (c *Cache[E]) Abandon(r Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endTrials(r)
}

// opened returns the gates of r that have opened and still remember what shut them. The negative cache isn't among them: its
// key is the whole request's, of which there is one call at a time.
func (c *Cache[E]) opened(r Request, now time.Time, forced bool) []Entry[E] {
	kinds := []Kind{Rate, Unavailable}
	if forced {
		kinds = kinds[:1]
	}
	var found []Entry[E]
	for _, kind := range kinds {
		e := newEntry[E](kind, r)
		if old, ok := c.storeOf(kind).get(e.Domain, e.Key()); ok && old.Until.Add(memory).After(now) {
			found = append(found, old)
		}
	}
	return found
}

// endTrials lets those go on who wait for a call like r. It needn't be the call on trial itself that has ended: any answer
// tells as much.
func (c *Cache[E]) endTrials(r Request) {
	for _, kind := range []Kind{Rate, Unavailable} {
		t, ok := c.trials[newEntry[E](kind, r).Key()]
		if !ok {
			continue
		}
		for _, key := range t.gates {
			delete(c.trials, key)
		}
		close(t.ended)
	}
}
