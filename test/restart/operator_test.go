// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package restart_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// operator is one run of the binary.
type operator struct {
	session *gexec.Session
	metrics string // URL
	probes  string // URL
}

// start runs the operator as a Deployment would, on free ports, with further flags.
func start(flags ...string) *operator {
	GinkgoHelper()
	metrics, probes := freePort(), freePort()
	flags = append([]string{"--kubeconfig", kubeconfig, "--operator-namespace", operatorNamespace, "--allow-loopback-authorities",
		"--metrics-bind-address", metrics, "--health-probe-bind-address", probes, "--zap-log-level", "debug"}, flags...)
	command := exec.Command(binary, flags...)
	session, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	o := &operator{session: session, metrics: "https://" + metrics + "/metrics", probes: "http://" + probes}
	DeferCleanup(func() { o.session.Kill().Wait() })
	return o
}

func freePort() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}

// kill is SIGKILL: nothing is flushed, and the lease isn't given back.
func (o *operator) kill() {
	GinkgoHelper()
	o.session.Kill()
	Eventually(o.session).Should(gexec.Exit())
}

// stop is SIGTERM, as a rollout sends it.
func (o *operator) stop() {
	GinkgoHelper()
	o.session.Signal(syscall.SIGTERM)
	Eventually(o.session).Should(gexec.Exit(0))
}

// logs are all that the run has written.
func (o *operator) logs() string {
	return string(o.session.Out.Contents()) + string(o.session.Err.Contents())
}

// sample reads one metric of the operator, summed over the series that match.
func (o *operator) sample(ctx SpecContext, g Gomega, name string, match map[string]string) float64 {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.metrics, nil)
	g.Expect(err).NotTo(HaveOccurred())
	r.Header.Set("Authorization", "Bearer "+metricsToken(ctx))
	response, err := metricsClient().Do(r)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	g.Expect(response.StatusCode).To(Equal(http.StatusOK))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	return sum(families[name], match)
}

// settledAfter waits until a run has reconciled at least that many times and has nothing left to do.
func (o *operator) settledAfter(ctx SpecContext, reconciles int) {
	GinkgoHelper()
	queue := map[string]string{"controller": "tokenrequest"}
	Eventually(func(g Gomega) {
		g.Expect(o.sample(ctx, g, "controller_runtime_reconcile_total", queue)).To(BeNumerically(">=", reconciles))
		g.Expect(o.sample(ctx, g, "workqueue_depth", queue)).To(BeZero())
		g.Expect(o.sample(ctx, g, "controller_runtime_active_workers", queue)).To(BeZero())
	}).Should(Succeed())
}

var token string

// metricsToken is a token of a service account that may read metrics, and nothing else.
func metricsToken(ctx context.Context) string {
	GinkgoHelper()
	if token != "" {
		return token
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "prometheus"}}
	for _, object := range []client.Object{
		account,
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "metrics-reader"},
			Rules: []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "metrics-reader"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "metrics-reader"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: operatorNamespace, Name: "prometheus"}}},
	} {
		Expect(api.Create(ctx, object)).To(Succeed())
	}
	review := &authenticationv1.TokenRequest{}
	Expect(api.SubResource("token").Create(ctx, account, review)).To(Succeed())
	token = review.Status.Token
	return token
}

// writes counts, from the API server's own metrics, the writes to what the operator may write.
// Leases, which are renewed all the time, are not among them.
func writes(ctx context.Context) float64 {
	GinkgoHelper()
	clientset, err := kubernetes.NewForConfig(cluster)
	Expect(err).NotTo(HaveOccurred())
	body, err := clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred())
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	var total float64
	for _, resource := range []string{"secrets", "tokenrequests", "configmaps", "events"} {
		for _, verb := range []string{"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"} {
			total += sum(families["apiserver_request_total"], map[string]string{"resource": resource, "verb": verb})
		}
	}
	return total
}

// sum adds up the series of a family whose labels match.
func sum(family *dto.MetricFamily, match map[string]string) (total float64) {
	for _, metric := range family.GetMetric() {
		if labelled(metric, match) {
			total += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return total
}

func labelled(metric *dto.Metric, match map[string]string) bool {
	has := map[string]string{}
	for _, pair := range metric.GetLabel() {
		has[pair.GetName()] = pair.GetValue()
	}
	for name, value := range match {
		if has[name] != value {
			return false
		}
	}
	return true
}

// probe asks a probe endpoint.
func (o *operator) probe(ctx SpecContext, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.probes+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, response.Status)
	}
	return nil
}

// statusOf is the HTTP status of a request without credentials to the operator's metrics.
func statusOf(r *http.Request) int {
	GinkgoHelper()
	response, err := metricsClient().Do(r)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	return response.StatusCode
}

// metricsClient trusts any certificate: the metrics server makes its own when it is given none.
func metricsClient() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
}
