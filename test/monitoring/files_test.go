// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package monitoring_test has Prometheus judge the dashboard and the alerts of config/monitoring: that
// each query parses and asks for what the operator exposes, and that each alert fires when it has to, and
// only then.
package monitoring_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const folder = "../../config/monitoring/"

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// alert is one rule of the PrometheusRule.
type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	KeepFiring  string            `json:"keep_firing_for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type group struct {
	Name  string  `json:"name"`
	Rules []alert `json:"rules"`
}

// groups are the rules as Prometheus reads them.
func groups(t *testing.T) []group {
	t.Helper()
	var rule struct {
		Spec struct {
			Groups []group `json:"groups"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, folder+"prometheus_rule.yaml"), &rule); err != nil {
		t.Fatal(err)
	}
	return rule.Spec.Groups
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var all []alert
	for _, g := range groups(t) {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no alerts: the tests would prove nothing")
	}
	return all
}

// query is where an expression stands, and the expression.
type query struct{ where, expr string }

// queries are those of the dashboard and of the alerts.
func queries(t *testing.T) []query {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(read(t, folder+"dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	var all []query
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			// The one variable of Grafana's that stands in an expression.
			all = append(all, query{"panel " + panel.Title, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")})
		}
	}
	if len(all) == 0 {
		t.Fatal("the dashboard asks for nothing")
	}
	for _, a := range alerts(t) {
		all = append(all, query{"alert " + a.Alert, a.Expr})
	}
	return all
}
