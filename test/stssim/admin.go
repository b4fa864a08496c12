// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
)

// adminPrefix is on the port of the service itself: one port to forward, one CA
// to trust. Entra has no tenant of that name.
const adminPrefix = "/_admin/"

// throttleReport is the answer to GET /_admin/throttles.
type throttleReport struct {
	Throttles  []ThrottleState `json:"throttles"`
	Violations []Violation     `json:"violations"`
}

// deviceDecision is what a person does with a user code.
type deviceDecision struct {
	UserCode string `json:"userCode"`
	Person
}

// seedOrder says whose token to make, and for which client.
type seedOrder struct {
	Tenant   string `json:"tenant"`
	ClientID string `json:"clientID"`
	Person
}

// admin serves the administration to callers on this host. Such calls aren't
// logged.
func (s *Server) admin(w http.ResponseWriter, r *http.Request) {
	caller, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !caller.Addr().Unmap().IsLoopback() {
		http.Error(w, "the administration is for loopback callers", http.StatusForbidden)
		return
	}
	s.administration.ServeHTTP(w, r)
}

func (s *Server) adminRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_admin/calls", s.adminCalls)
	mux.Handle("GET /_admin/counters", report(s.Counters))
	mux.Handle("GET /_admin/canaries", report(s.Canaries))
	mux.Handle("GET /_admin/rules", report(s.Rules))
	mux.Handle("POST /_admin/rules", take(func(rule Rule) error { return s.AddRules(rule) }))
	mux.Handle("DELETE /_admin/rules", do(s.ClearRules))
	mux.HandleFunc("DELETE /_admin/rules/{name}", func(w http.ResponseWriter, r *http.Request) {
		removed(w, s.ClearRule(r.PathValue("name")))
	})
	mux.Handle("GET /_admin/clients", report(s.Clients))
	mux.Handle("PUT /_admin/clients", take(s.PutClient))
	mux.HandleFunc("DELETE /_admin/clients/{tenant}/{clientID}", func(w http.ResponseWriter, r *http.Request) {
		removed(w, s.RemoveClient(r.PathValue("tenant"), r.PathValue("clientID")))
	})
	mux.Handle("GET /_admin/throttles", report(func() throttleReport {
		return throttleReport{Throttles: s.Throttles(), Violations: s.ThrottleViolations()}
	}))
	mux.Handle("POST /_admin/throttles", take(s.SetThrottle))
	mux.Handle("DELETE /_admin/throttles", do(s.ClearThrottles))
	mux.Handle("POST /_admin/connections", take(func(order struct {
		Close int `json:"close"`
	}) error {
		s.CloseConnections(order.Close)
		return nil
	}))
	mux.Handle("GET /_admin/devices", report(s.DeviceCodes))
	mux.Handle("POST /_admin/devices/approve", take(func(decision deviceDecision) error {
		return s.ApproveDevice(decision.UserCode, decision.Person)
	}))
	mux.Handle("POST /_admin/devices/deny", take(func(decision deviceDecision) error {
		return s.DenyDevice(decision.UserCode)
	}))
	mux.Handle("POST /_admin/refreshtokens", trade(func(order seedOrder) string {
		return s.SeedRefreshToken(order.Tenant, order.ClientID, order.Subject)
	}))
	mux.Handle("POST /_admin/usertokens", trade(func(order seedOrder) string {
		return s.SeedUserToken(order.Tenant, order.ClientID, order.Person)
	}))
	mux.Handle("POST /_admin/reset", do(s.Reset))
	return mux
}

func (s *Server) adminCalls(w http.ResponseWriter, r *http.Request) {
	filter, err := parseFilter(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, s.Calls(filter))
}

// parseFilter refuses what it doesn't know: a mistyped filter would match every
// call and make a check pass that shouldn't.
func parseFilter(query url.Values) (Filter, error) {
	var filter Filter
	for name := range query {
		value := query.Get(name)
		var err error
		switch name {
		case "kind":
			filter.Kind = Kind(value)
		case "path":
			filter.Path = value
		case "tenant":
			filter.Tenant = value
		case "client_id":
			filter.ClientID = value
		case "scope":
			filter.Scope = value
		case "status":
			filter.Status, err = strconv.Atoi(value)
		case "finished":
			filter.Finished, err = strconv.ParseBool(value)
		case "after":
			filter.After, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("no such filter")
		}
		if err != nil {
			return Filter{}, fmt.Errorf("reading filter %q: %w", name, err)
		}
	}
	return filter, nil
}

// report answers with what a getter returns.
func report[T any](get func() T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, get()) })
}

// take reads a T from the body and hands it on.
func take[T any](set func(T) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, err := decode[T](w, r)
		if err == nil {
			err = set(value)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// trade reads a T from the body and answers with what is made of it.
func trade[T, A any](produce func(T) A) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, err := decode[T](w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeJSON(w, produce(value))
	})
}

func decode[T any](w http.ResponseWriter, r *http.Request) (value T, err error) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&value)
	return value, err
}

func do(action func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		action()
		w.WriteHeader(http.StatusNoContent)
	})
}

func removed(w http.ResponseWriter, found bool) {
	if !found {
		http.Error(w, "there is none", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	// It fails when the caller is gone.
	_ = encoder.Encode(value)
}
