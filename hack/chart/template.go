// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// What config/ writes out, and the chart takes from Helm.
const (
	operatorNamespace = "tokenrequest-system"
	servedNamespace   = "payments"
	labels            = "    app.kubernetes.io/name: tokenrequest-operator\n    app.kubernetes.io/part-of: tokenrequest-operator\n"
)

// object is one that kustomize made.
type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`

	text string
}

func parse(text string) (object, error) {
	o := object{text: strings.TrimSuffix(text, "\n") + "\n"}
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		return o, fmt.Errorf("reading what kustomize made: %w", err)
	}
	return o, nil
}

func (o object) name() string { return o.Kind + " " + o.Metadata.Name }

// template is the object as the chart has it, and the file that it belongs into.
func (o object) template() (file, text string, err error) {
	place, known := places[o.Kind]
	if !known {
		return "", "", fmt.Errorf("no file of the chart is for the kind %s", o.Kind)
	}
	text = o.text
	// Some descriptions of fields show templates, which aren't Helm's.
	text = strings.ReplaceAll(text, "{{", `{{ "{{" }}`)
	text = strings.ReplaceAll(text, "namespace: "+operatorNamespace+"\n", "namespace: {{ $.Release.Namespace | quote }}\n")
	text = strings.ReplaceAll(text, operatorNamespace, "{{ $.Release.Namespace }}")
	if text, err = replace(text, labels, "    {{- include \"tokenrequest-operator.labels\" $ | nindent 4 }}\n"); err != nil {
		return "", "", err
	}
	for _, value := range values[o.name()] {
		if text, err = replace(text, value.literal, value.template); err != nil {
			return "", "", err
		}
	}
	text = "---\n" + text
	if o.Metadata.Namespace == servedNamespace {
		text = strings.ReplaceAll(text, "namespace: "+servedNamespace+"\n", "namespace: {{ . | quote }}\n")
		return "namespaced.yaml", "{{- range $.Values.watchNamespaces }}\n" + text + "{{- end }}\n", nil
	}
	condition := place.condition
	if special, ok := conditions[o.name()]; ok {
		condition = special
	}
	if condition != "" {
		text = "{{- if " + condition + " }}\n" + text + "{{- end }}\n"
	}
	return place.file, text, nil
}

// replace insists that there is exactly one of what it replaces: else config/ has changed, and the value
// would be lost or go where nobody meant it to.
func replace(text, literal, template string) (string, error) {
	if n := strings.Count(text, literal); n != 1 {
		return "", fmt.Errorf("the text to be replaced is there %d times:\n%s", n, literal)
	}
	return strings.Replace(text, literal, template, 1), nil
}
