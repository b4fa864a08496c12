// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// ownRequest is a request to begin with: against the simulator, and of its own name.
const ownRequest = `# Change what you like, and apply it. The simulator gives this client tokens for any resource.
apiVersion: sts.tokenrequest.dev/v1alpha1
kind: TokenRequest
metadata:
  name: mine
spec:
  issuer:
    authority: %s/contoso.onmicrosoft.com/v2.0
    clientID: 11111111-2222-3333-4444-555555555555
    credential:
      clientSecret:
        secretRef:
          name: graph-app
          key: client_secret
    tls:
      caBundleRef:
        kind: ConfigMap
        name: ` + caConfigMap + `
        key: ` + caKey + `
  scopes:
  - api://something-of-mine/.default
`

// lookAround tells how to use what is still up, and shows what changes, until the demo is
// interrupted.
func (d *demo) lookAround(ctx context.Context) error {
	file, err := d.place.write("mine.yaml", fmt.Appendf(nil, ownRequest, d.simulator.url))
	if err != nil {
		return err
	}
	d.out.section("All of it stays up until Ctrl-C. In another terminal:")
	for _, command := range []struct{ what, line string }{
		{"", "export KUBECONFIG=" + d.cluster.kubeconfig},
		{"", "export PATH=" + d.assets + ":$PATH"},
		{"what there is", "kubectl get tokenrequests -o wide"},
		{"one with its story", "kubectl describe tokreq wrong-secret"},
		{"its events", "kubectl events --for tokreq/wrong-secret"},
		{"a Secret's keys", "kubectl describe secret graph-token"},
		{"what is throttled", "kubectl get configmap " + throttleConfigMap + " -n " + systemNamespace + " -o yaml"},
		{"a refresh, now", `kubectl annotate tokreq graph --overwrite sts.tokenrequest.dev/refresh-requested-at="$(date)"`},
		{"the right secret", `kubectl patch secret wrong-secret-app -p '{"stringData": {"client_secret": "stssim-demo-secret"}}'`},
		{"a request of yours", "kubectl apply -f " + file},
		{"the API", "kubectl explain tokenrequests.sts.tokenrequest.dev.spec"},
		{"the operator's log", "tail -f " + filepath.Join(d.place.path(logsDir), operatorLog)},
	} {
		d.out.line(strings.TrimRight(fmt.Sprintf("  %-20s%s", command.what, command.line), " "))
	}
	d.out.section("What changes from here on")
	return d.watch(ctx)
}

// watch shows each change of a request until the run ends.
func (d *demo) watch(ctx context.Context) error {
	for {
		if err := d.glance(ctx); err != nil {
			return d.because(ctx, err)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}
