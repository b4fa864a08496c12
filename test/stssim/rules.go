// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Rule makes matching calls go wrong. Rules are tried in the order in which
// they were added, and the first that acts on a call decides it.
type Rule struct {
	// Name is unique; empty gets "rule-1", "rule-2", ...
	Name string `json:"name,omitempty"`
	// Match says which calls the rule is about; its zero value is every call.
	Match Match `json:"match,omitzero"`
	// From is the first matching call to act on, counted from 1 since the rule
	// was added; the calls before it pass on to the next rules. Zero is 1.
	From int `json:"from,omitempty"`
	// Times is how many calls the rule acts on; zero has no limit.
	Times int `json:"times,omitempty"`
	// For is how long the rule lives, by the server's clock; zero has no limit.
	For Duration `json:"for,omitempty"`
	// Action is what happens.
	Action Action `json:"action"`
}

// Match selects calls; an empty field matches anything. Tenants and client IDs
// are compared without regard to case, scopes without regard to order.
type Match struct {
	Kind      Kind   `json:"kind,omitempty"`
	Path      string `json:"path,omitempty"`
	Tenant    string `json:"tenant,omitempty"`
	ClientID  string `json:"clientID,omitempty"`
	Scope     string `json:"scope,omitempty"`
	GrantType string `json:"grantType,omitempty"`
}

// RuleState is a rule and how often it was used.
type RuleState struct {
	Rule
	// Matched counts the calls that it was offered and matched.
	Matched int `json:"matched"`
	// Acted counts the calls that it decided.
	Acted int `json:"acted"`
}

// AddRules adds rules after those that are there, all or none.
func (s *Server) AddRules(rules ...Rule) error { return s.rules.add(rules, s.clock()) }

// ClearRule removes a rule and releases the calls that it holds; false means
// that there was none of the name.
func (s *Server) ClearRule(name string) bool {
	return s.rules.clear(func(r *activeRule) bool { return r.Name == name })
}

// ClearRules removes all rules and releases the calls that they hold.
func (s *Server) ClearRules() {
	s.rules.clear(func(*activeRule) bool { return true })
}

// Rules lists the rules, spent and expired ones included, in their order.
func (s *Server) Rules() []RuleState { return s.rules.list() }

type activeRule struct {
	RuleState
	added   time.Time
	cleared chan struct{}
}

type rulebook struct {
	mu      sync.Mutex
	rules   []*activeRule
	numbers int
}

func (b *rulebook) add(rules []Rule, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	added := slices.Clone(b.rules)
	numbers := b.numbers
	for _, rule := range rules {
		if rule.Name == "" {
			numbers++
			rule.Name = fmt.Sprintf("rule-%d", numbers)
		}
		if slices.ContainsFunc(added, func(other *activeRule) bool { return other.Name == rule.Name }) {
			return fmt.Errorf("adding rule %q: the name is taken", rule.Name)
		}
		if err := rule.check(); err != nil {
			return fmt.Errorf("adding rule %q: %w", rule.Name, err)
		}
		added = append(added, &activeRule{
			RuleState: RuleState{Rule: rule}, added: now, cleared: make(chan struct{}),
		})
	}
	b.rules, b.numbers = added, numbers
	return nil
}

func (r Rule) check() error {
	if r.Match.Kind != "" && !slices.Contains(kinds, r.Match.Kind) {
		return fmt.Errorf("unknown kind %q, want one of %q", r.Match.Kind, kinds)
	}
	if min(r.From, r.Times, int(r.For), int(r.Action.Latency), r.Action.Padding) < 0 {
		return errors.New("from, times, for, latency and padding must not be negative")
	}
	// net/http panics on a status of other than three digits, and holds 1xx for
	// interim responses.
	if r.Action.Status != 0 && (r.Action.Status < 200 || r.Action.Status > 999) {
		return fmt.Errorf("status %d is no final HTTP status", r.Action.Status)
	}
	if r.Action.Error != nil && r.Action.Body != "" {
		return errors.New("error and body exclude each other")
	}
	for name, value := range r.Action.Set {
		if !json.Valid(value) {
			return fmt.Errorf("the value for member %q is not JSON", name)
		}
	}
	return nil
}

// take returns the rule that acts on the call, or nil.
func (b *rulebook) take(req *request) *activeRule {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rule := range b.rules {
		expired := rule.For > 0 && !req.arrived.Before(rule.added.Add(time.Duration(rule.For)))
		spent := rule.Times > 0 && rule.Acted >= rule.Times
		if expired || spent || !rule.Match.matches(req) {
			continue
		}
		rule.Matched++
		if rule.Matched >= rule.From {
			rule.Acted++
			return rule
		}
	}
	return nil
}

func (b *rulebook) clear(matches func(*activeRule) bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.rules)
	b.rules = slices.DeleteFunc(slices.Clone(b.rules), func(rule *activeRule) bool {
		if !matches(rule) {
			return false
		}
		close(rule.cleared)
		return true
	})
	return len(b.rules) < before
}

func (b *rulebook) list() []RuleState {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []RuleState{}
	for _, rule := range b.rules {
		list = append(list, rule.RuleState)
	}
	return list
}

func (m Match) matches(req *request) bool {
	return (m.Kind == "" || m.Kind == req.kind) &&
		(m.Path == "" || m.Path == req.http.URL.Path) &&
		(m.GrantType == "" || m.GrantType == req.form.Get("grant_type")) &&
		matchesIdentity(m.Tenant, m.ClientID, m.Scope, req.tenant, req.clientID, req.scope)
}

// matchesIdentity compares a tenant, client and scope with those wanted, where
// an empty one matches anything.
func matchesIdentity(wantTenant, wantClient, wantScope, tenant, client, scope string) bool {
	return (wantTenant == "" || strings.EqualFold(wantTenant, tenant)) &&
		(wantClient == "" || strings.EqualFold(wantClient, client)) &&
		(wantScope == "" || normalScope(wantScope) == normalScope(scope))
}
