// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package throttle_test

import (
	"fmt"
	"testing"
	"time"

	"tokenrequest.dev/operator/internal/throttle"
)

func kinds() []throttle.Kind {
	return []throttle.Kind{throttle.Rate, throttle.Unavailable, throttle.Refused}
}

func TestNoTenantShutsAnothersGates(t *testing.T) {
	victim := request()
	attacks := []struct {
		name string
		edit func(r *throttle.Request)
	}{
		{"by asking the same", func(*throttle.Request) {}},
		{"by a domain that is a prefix of the victim's", func(r *throttle.Request) { r.Domain, r.Endpoint = "ns/pay", "ments"+r.Endpoint }},
		{"by a domain that goes on into the endpoint", func(r *throttle.Request) { r.Domain, r.Endpoint = "ns/payments"+r.Endpoint, "" }},
		{"by an endpoint that goes on into the client", func(r *throttle.Request) { r.Endpoint, r.ClientID = r.Endpoint+r.ClientID, "" }},
		{"by a client that imitates the scopes", func(r *throttle.Request) { r.ClientID, r.Scopes = r.ClientID+"read", []string{"write"} }},
		{"by a scope that imitates two", func(r *throttle.Request) { r.Scopes = []string{"read write"} }},
		{"by a scope with a length before it", func(r *throttle.Request) { r.Scopes = []string{"read\x00\x00\x00\x00\x00\x00\x00\x05write"} }},
		{"by NUL bytes as separators", func(r *throttle.Request) { r.Domain += "\x00" + r.Endpoint + "\x00" + r.ClientID }},
		{"by line breaks as separators", func(r *throttle.Request) { r.Endpoint += "\n" + r.ClientID }},
		{"by invalid UTF-8", func(r *throttle.Request) { r.Domain, r.ClientID = "ns/evil\xff", r.ClientID+"\xff" }},
		{"by moving bytes between trust and credential", func(r *throttle.Request) { r.Trust, r.Credential = r.Trust+r.Credential, "" }},
		{"by moving bytes between account and claims", func(r *throttle.Request) { r.Account, r.Claims = "", r.Account+r.Claims }},
		{"by moving bytes between claims and inputs", func(r *throttle.Request) { r.Claims, r.Inputs = r.Claims+r.Inputs, "" }},
	}
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			c := newCache()
			evil := request()
			evil.Domain = "ns/evil"
			attack.edit(&evil)
			for i := range 3 { // several scopes, so that the attack escalates
				for _, kind := range kinds() {
					c.Remember(evil, throttle.Failure[string]{Kind: kind}, start())
				}
				evil.Scopes = append(evil.Scopes, fmt.Sprint("more", i))
			}
			if v := c.Admit(victim, start(), false); !v.Open {
				t.Errorf("the victim's gate of kind %s is shut", v.Kind)
			}
			// Nor does the attacker open what is shut.
			c.Remember(victim, throttle.Failure[string]{Kind: throttle.Unavailable}, start())
			c.Succeeded(evil, start())
			if c.Admit(victim, start(), false).Open {
				t.Error("the victim's gate was opened")
			}
		})
	}
}

func TestFieldsOfOneTenantDoNotRunIntoEachOther(t *testing.T) {
	// Within a domain too, no value of one field imitates another request.
	imitations := map[string]func(r *throttle.Request){
		"endpoint and client":    func(r *throttle.Request) { r.Endpoint, r.ClientID = r.Endpoint+"cli", "ent" },
		"client and scope":       func(r *throttle.Request) { r.ClientID, r.Scopes = r.ClientID+"read", []string{"write"} },
		"two scopes":             func(r *throttle.Request) { r.Scopes = []string{"readwrite"} },
		"trust and credential":   func(r *throttle.Request) { r.Trust, r.Credential = "trustuid", "/1" },
		"credential and account": func(r *throttle.Request) { r.Credential, r.Account = "uid/1a", "lice" },
		"account and claims":     func(r *throttle.Request) { r.Account, r.Claims = "alice{", "}" },
		"claims and inputs":      func(r *throttle.Request) { r.Claims, r.Inputs = "{}in", "puts" },
	}
	for what, imitate := range imitations {
		c := newCache()
		c.Remember(request(), throttle.Failure[string]{Kind: throttle.Refused}, start())
		r := request()
		imitate(&r)
		if !c.Admit(r, start(), false).Open {
			t.Errorf("%s run into each other", what)
		}
	}
}

func TestNoTenantEvictsAnothersGates(t *testing.T) {
	limits := throttle.Limits{PerDomain: 16, Total: 64}
	for _, kind := range kinds() {
		for _, window := range []time.Duration{time.Second, 30 * time.Minute} {
			c := throttle.NewDated[string](limits)
			// Three tenants hold their even share of a store for four; the fourth floods it.
			for tenant := range 3 {
				for i := range 16 {
					c.Remember(owned(tenant, i), throttle.Failure[string]{Kind: kind, RetryAfter: 10 * time.Minute}, start())
				}
			}
			for i := range 1000 {
				c.Remember(owned(9, i), throttle.Failure[string]{Kind: kind, RetryAfter: window}, start())
			}
			for tenant := range 3 {
				for i := range 16 {
					if c.Admit(owned(tenant, i), start(), false).Open {
						t.Fatalf("kind %s: tenant %d lost gate %d", kind, tenant, i)
					}
				}
			}
			held := map[throttle.Kind]int{}
			for _, e := range c.List(start()) {
				held[e.Kind]++
			}
			if held[kind] != 64 || held[throttle.Rate] > 64 {
				t.Errorf("kind %s: entries %v, want 64 of a kind", kind, held)
			}
		}
	}
}

func TestWhoHoldsTheMostPaysForANewcomer(t *testing.T) {
	c := throttle.NewDated[string](throttle.Limits{PerDomain: 16, Total: 20})
	gate := throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 10 * time.Minute}
	for i := range 16 {
		c.Remember(owned(1, i), gate, start())
	}
	for tenant := 2; tenant <= 9; tenant++ { // the store is full after four of them
		c.Remember(owned(tenant, 0), gate, start())
	}
	counts := map[string]int{}
	for _, e := range c.List(start()) {
		counts[e.Domain]++
	}
	if counts["ns/tenant-1"] != 12 || len(counts) != 9 {
		t.Errorf("entries by domain: %v", counts)
	}
}

func TestBetweenEqualsTheNewcomerPays(t *testing.T) {
	c := throttle.NewDated[string](throttle.Limits{PerDomain: 16, Total: 7})
	gate := throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: 10 * time.Minute}
	for i := range 4 {
		c.Remember(owned(1, i), gate, start())
	}
	for i := range 4 { // the fourth makes one too many, and as many as the other has
		c.Remember(owned(2, i), gate, start())
	}
	for i := range 4 {
		if c.Admit(owned(1, i), start(), false).Open {
			t.Errorf("gate %d of the first tenant was evicted", i)
		}
	}
}

func TestAStoreOfMoreTenantsThanEntriesKeepsTheNewest(t *testing.T) {
	c := throttle.NewDated[string](throttle.Limits{Total: 4})
	for tenant := range 100 {
		// Each newcomer opens sooner than all that are there.
		c.Remember(owned(tenant, 0), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Duration(200-tenant) * time.Second}, start())
		if c.Admit(owned(tenant, 0), start(), false).Open {
			t.Fatalf("tenant %d's gate was evicted by its own insertion", tenant)
		}
		if n := len(c.List(start())); n > 4 {
			t.Fatalf("%d entries, want at most 4", n)
		}
	}
}

func TestOneKindDoesNotEvictAnother(t *testing.T) {
	c := throttle.NewDated[string](throttle.Limits{PerDomain: 4, Total: 4})
	c.Remember(owned(0, 0), throttle.Failure[string]{Kind: throttle.Rate, RetryAfter: time.Second}, start())
	for i := range 100 {
		c.Remember(owned(0, i), throttle.Failure[string]{Kind: throttle.Refused}, start())
		c.Remember(owned(0, i), throttle.Failure[string]{Kind: throttle.Unavailable}, start())
	}
	if c.Admit(owned(0, 0), start(), true).Open {
		t.Error("cheap entries evicted a rate gate")
	}
}

// owned returns the i-th request of a tenant.
func owned(tenant, i int) throttle.Request {
	r := request()
	r.Domain, r.ClientID = fmt.Sprintf("ns/tenant-%d", tenant), fmt.Sprint("client-", i)
	return r
}
