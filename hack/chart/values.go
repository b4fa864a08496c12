// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

// place is the file of the chart that a kind is in, and the condition under which its objects are there.
type place struct{ file, condition string }

var places = map[string]place{
	"CustomResourceDefinition":         {"crds.yaml", "$.Values.crds.enabled"},
	"ServiceAccount":                   {"rbac.yaml", ""},
	"ClusterRole":                      {"rbac.yaml", ""},
	"ClusterRoleBinding":               {"rbac.yaml", ""},
	"Role":                             {"rbac.yaml", ""},
	"RoleBinding":                      {"rbac.yaml", ""},
	"ConfigMap":                        {"policies.yaml", "$.Values.admissionPolicies.enabled"},
	"ValidatingAdmissionPolicy":        {"policies.yaml", "$.Values.admissionPolicies.enabled"},
	"ValidatingAdmissionPolicyBinding": {"policies.yaml", "$.Values.admissionPolicies.enabled"},
	"Deployment":                       {"deployment.yaml", ""},
	"PodDisruptionBudget":              {"poddisruptionbudget.yaml", "$.Values.podDisruptionBudget.enabled"},
	"Service":                          {"metrics.yaml", "$.Values.monitoring.enabled"},
	"NetworkPolicy":                    {"networkpolicies.yaml", "$.Values.networkPolicy.enabled"},
	"PrometheusRule":                   {"prometheusrule.yaml", "and $.Values.monitoring.enabled $.Values.monitoring.prometheusRule.enabled"},
}

// conditions of single objects stand in place of their kind's. An operator of single namespaces has its
// roles there.
var conditions = map[string]string{
	"ClusterRole tokenrequest-operator":          "not $.Values.watchNamespaces",
	"ClusterRoleBinding tokenrequest-operator":   "not $.Values.watchNamespaces",
	"NetworkPolicy tokenrequest-operator-egress": "and $.Values.networkPolicy.enabled $.Values.networkPolicy.egress.enabled",
}

// value is a text of config/, and what the chart has there.
type value struct{ literal, template string }

// values are those of each object, by its kind and name.
var values = map[string][]value{
	"CustomResourceDefinition clustertokenissuers.sts.tokenrequest.dev": {keptCRD},
	"CustomResourceDefinition tokenissuers.sts.tokenrequest.dev":        {keptCRD},
	"CustomResourceDefinition tokenrequests.sts.tokenrequest.dev":       {keptCRD},
	"ConfigMap tokenrequest-audiences": {
		{"kind: ConfigMap\n", "  {{- with $.Values.admissionPolicies.audiences }}\n  {{- toYaml . | nindent 2 }}\n  {{- end }}\nkind: ConfigMap\n"},
	},
	"PodDisruptionBudget tokenrequest-operator": {
		{"maxUnavailable: 1\n", "maxUnavailable: {{ $.Values.podDisruptionBudget.maxUnavailable }}\n"},
	},
	"PrometheusRule tokenrequest-operator": {
		{"  name: tokenrequest-operator\n", "    {{- with $.Values.monitoring.prometheusRule.labels }}\n    {{- toYaml . | nindent 4 }}\n    {{- end }}\n  name: tokenrequest-operator\n"},
	},
	"NetworkPolicy tokenrequest-operator-egress": {
		{"    - port: 443\n      protocol: TCP\n    - port: 6443\n      protocol: TCP\n",
			"    {{- range $.Values.networkPolicy.egress.ports }}\n    - port: {{ . }}\n      protocol: TCP\n    {{- end }}\n"},
	},
	"Deployment tokenrequest-operator": {
		{"  replicas: 2\n", "  replicas: {{ $.Values.replicas }}\n"},
		{"      annotations:\n", "      annotations:\n        {{- with $.Values.podAnnotations }}\n        {{- toYaml . | nindent 8 }}\n        {{- end }}\n"},
		{"    spec:\n", "        {{- with $.Values.podLabels }}\n        {{- toYaml . | nindent 8 }}\n        {{- end }}\n    spec:\n" + podValues},
		{"=:8443\n", "={{ ternary \":8443\" \"0\" $.Values.monitoring.enabled }}\n"},
		{"        env:\n", argumentValues + "        env:\n        {{- with $.Values.env }}\n        {{- toYaml . | nindent 8 }}\n        {{- end }}\n"},
		{"        image: tokenrequest-operator:latest\n        imagePullPolicy: IfNotPresent\n",
			"        image: {{ include \"tokenrequest-operator.image\" $ | quote }}\n        imagePullPolicy: {{ $.Values.image.pullPolicy }}\n"},
		{"          limits:\n            memory: 512Mi\n          requests:\n            cpu: 10m\n            memory: 64Mi\n",
			"          {{- toYaml $.Values.resources | nindent 10 }}\n"},
	},
}

// keptCRD outlives the release, and so do the objects of its kind.
var keptCRD = value{
	"\nmetadata:\n  annotations:\n",
	"\nmetadata:\n  annotations:\n    {{- if $.Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n",
}

const argumentValues = `        {{- with $.Values.watchNamespaces }}
        - --watch-namespaces={{ join "," . }}
        {{- end }}
        {{- with $.Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
`

const podValues = `      {{- with $.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $.Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $.Values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
`
