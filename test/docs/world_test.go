// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"tokenrequest.dev/operator/test/stssim"
)

// world is what the documents take for granted: a cluster with the operator in it, and the internet
// with Microsoft Entra and a Keycloak.
type world struct {
	kubectl     string
	kubeconfig  string
	operatorLog string
}

// keycloak is the issuer of the documents' examples.
const keycloak = "https://keycloak.example.com/realms/shop"

// newWorld starts a world that lasts as long as the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	assets := cmp.Or(os.Getenv("KUBEBUILDER_ASSETS"), filepath.Join(root, "bin/controlplane"))
	assets, err := filepath.Abs(assets)
	if err != nil {
		t.Fatal(err)
	}
	environment := &envtest.Environment{BinaryAssetsDirectory: assets}
	if _, err := environment.Start(); err != nil {
		t.Fatalf("starting an API server (KUBEBUILDER_ASSETS names its folder): %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	w := &world{kubectl: filepath.Join(assets, "kubectl"), kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	writeFile(t, w.kubeconfig, string(environment.KubeConfig))
	w.run(t, "apply", "--server-side", "-k", filepath.Join(root, "config/default"))
	w.run(t, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	sim := startInternet(t)
	w.startOperator(t, sim)
	w.applyFailingSamples(t, sim)
	return w
}

// startInternet starts the simulator with the names and the answers of the documents' issuers.
func startInternet(t *testing.T) *stssim.Server {
	t.Helper()
	endpoint := keycloak + "/protocol/openid-connect/token"
	sim, err := stssim.Start(stssim.Options{
		Hosts: []string{"login.microsoftonline.com", "keycloak.example.com"},
		Rules: []stssim.Rule{
			{Match: stssim.Match{Path: "/realms/shop/.well-known/openid-configuration"}, Action: stssim.Action{
				Body: `{"issuer": "` + keycloak + `", "token_endpoint": "` + endpoint + `"}`}},
			{Match: stssim.Match{Path: "/realms/shop/protocol/openid-connect/token"}, Action: stssim.Action{
				Body: `{"access_token": "keycloak-token", "token_type": "Bearer", "expires_in": 300, "scope": "email"}`}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return sim
}

// startOperator runs the operator behind a proxy for which every host is the simulator.
func (w *world) startOperator(t *testing.T, sim *stssim.Server) {
	t.Helper()
	folder := t.TempDir()
	binary, ca := filepath.Join(folder, "manager"), filepath.Join(folder, "ca.pem")
	output(t, exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, "tokenrequest.dev/operator/cmd"))
	writeFile(t, ca, string(sim.CAPEM()))
	w.operatorLog = filepath.Join(folder, "operator.log")
	log, err := os.Create(w.operatorLog)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(tunnelTo(strings.TrimPrefix(sim.URL(), "https://")))
	// The operator ends by a signal and not by the end of the test's context, so that it stops in order.
	operator := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "--kubeconfig", w.kubeconfig,
		"--allow-loopback-authorities", "--metrics-bind-address=0", "--health-probe-bind-address=0")
	operator.Env = append(os.Environ(), "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=", "SSL_CERT_FILE="+ca, "POD_NAMESPACE=tokenrequest-system")
	operator.Stdout, operator.Stderr = log, log
	if err := operator.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = operator.Process.Signal(syscall.SIGTERM)
		if err := operator.Wait(); err != nil || t.Failed() {
			t.Logf("The operator ended: %v. Its log:\n%s", err, readFile(t, w.operatorLog))
		}
		proxy.Close()
		log.Close()
	})
}

// tunnelTo is an HTTP proxy that takes every host for the one at the address.
func tunnelTo(address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "this proxy tunnels only", http.StatusMethodNotAllowed)
			return
		}
		target, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", address)
		if err != nil {
			http.Error(w, "the simulator is gone", http.StatusBadGateway)
			return
		}
		defer target.Close()
		w.WriteHeader(http.StatusOK)
		client, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		go func() {
			_, _ = io.Copy(target, buffered)
			target.Close()
		}()
		_, _ = io.Copy(client, target)
	})
}

// applyFailingSamples makes two requests that fail, so that there is something to look into: one that
// is refused, and one that is throttled for longer than the tests take.
func (w *world) applyFailingSamples(t *testing.T, sim *stssim.Server) {
	t.Helper()
	err := sim.SetThrottle(stssim.Throttle{
		ClientID: "11111111-2222-3333-4444-555555555555", Scope: "https://vault.azure.net/.default", For: stssim.Duration(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.run(t, "create", "namespace", "demo")
	for name, reason := range map[string]string{"wrong-secret": "InvalidClient", "throttled": "Throttled"} {
		w.run(t, "apply", "-n", "demo", "-f", filepath.Join(root, "config/samples", name+".yaml"))
		w.run(t, "wait", "-n", "demo", "--for=jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}="+reason,
			"tokreq", sampleNames[name], "--timeout=60s")
	}
}

// sampleNames are the names of the requests in the files of config/samples.
var sampleNames = map[string]string{"wrong-secret": "wrong-secret", "throttled": "vault"}

// run runs kubectl and returns what it printed.
func (w *world) run(t *testing.T, arguments ...string) string {
	t.Helper()
	return output(t, w.command(t, arguments...))
}

func (w *world) command(t *testing.T, arguments ...string) *exec.Cmd {
	return exec.CommandContext(t.Context(), w.kubectl, append([]string{"--kubeconfig", w.kubeconfig}, arguments...)...)
}

// output returns what a command wrote to standard output, and fails the test with what it wrote
// elsewhere when it fails.
func output(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	c.Stderr = &stderr
	stdout, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(c.Args, " "), err, stdout, stderr.Bytes())
	}
	return string(stdout)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
