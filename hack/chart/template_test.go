// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

// manifest is an object as kustomize writes it, with a further text.
func manifest(kind, name, namespace, more string) string {
	return "kind: " + kind + "\nmetadata:\n  labels:\n" + labels + "  name: " + name + "\n  namespace: " + namespace + "\n" + more
}

func TestTemplate(t *testing.T) {
	for name, test := range map[string]struct{ manifest, file, has string }{
		"the operator's namespace":       {manifest("Role", "any", operatorNamespace, ""), "rbac.yaml", "  namespace: {{ $.Release.Namespace | quote }}\n"},
		"that namespace in a text":       {manifest("Role", "any", "", "x: a:tokenrequest-system:b\n"), "rbac.yaml", "x: a:{{ $.Release.Namespace }}:b\n"},
		"a served namespace":             {manifest("Role", "any", servedNamespace, ""), "namespaced.yaml", "  namespace: {{ . | quote }}\n"},
		"a condition of the kind":        {manifest("Service", "any", "", ""), "metrics.yaml", "{{- if $.Values.monitoring.enabled }}\n"},
		"a condition of one object":      {manifest("ClusterRole", "tokenrequest-operator", "", ""), "rbac.yaml", "{{- if not $.Values.watchNamespaces }}\n"},
		"a condition of two values":      {manifest("PrometheusRule", "other", "", ""), "prometheusrule.yaml", "{{- if and $.Values.monitoring.enabled $.Values.monitoring.prometheusRule.enabled }}\n"},
		"what would be taken for Helm's": {manifest("Role", "any", "", "x: '{{ .AccessToken }}'\n"), "rbac.yaml", `x: '{{ "{{" }} .AccessToken }}'`},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parse(test.manifest)
			if err != nil {
				t.Fatal(err)
			}
			file, text, err := o.template()
			if err != nil || file != test.file || !strings.Contains(text, test.has) {
				t.Errorf("error %v, %s has\n%s\nwant %s with %s", err, file, text, test.file, test.has)
			}
		})
	}
}

// What nobody has given a place in the chart would be missing from it in silence.
func TestTemplateRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"a kind without a file":                manifest("Secret", "any", "", ""),
		"an object without labels":             "kind: Role\nmetadata:\n  name: any\n",
		"a value whose place is gone":          manifest("PodDisruptionBudget", "tokenrequest-operator", "", "minAvailable: 1\n"),
		"a value whose place is there twice":   manifest("PodDisruptionBudget", "tokenrequest-operator", "", "maxUnavailable: 1\nx:\n  maxUnavailable: 1\n"),
		"labels that are also somewhere below": manifest("Role", "any", "", "spec:\n"+labels),
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if _, made, err := o.template(); err == nil {
				t.Errorf("it is made into\n%s", made)
			}
		})
	}
}
