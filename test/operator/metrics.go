// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Metrics are what a Prometheus that may read them gets, as text.
func (r *Run) Metrics(ctx context.Context) (string, error) {
	response, err := r.scrape(ctx, "Bearer "+r.scraper)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the metrics answer %s", response.Status)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("reading the metrics: %w", err)
	}
	return string(text), nil
}

// MetricsFor is what somebody gets with such an Authorization header, which may be "": the HTTP status, and
// what a person reads.
func (r *Run) MetricsFor(ctx context.Context, authorization string) (status int, text string) {
	ginkgo.GinkgoHelper()
	response, err := r.scrape(ctx, authorization)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return response.StatusCode, string(body)
}

// scrape trusts any certificate: the metrics server makes its own when it is given none.
func (r *Run) scrape(ctx context.Context, authorization string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+r.metrics+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	return (&http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}).RoundTrip(request)
}

// Sample reads one metric, a counter or a gauge, summed over the series whose labels match.
func (r *Run) Sample(ctx context.Context, name string, match map[string]string) (float64, error) {
	read, err := r.Scrape(ctx)
	if err != nil {
		return 0, err
	}
	return read(name, match), nil
}

// Scrape reads all metrics at once, of which read returns one as Sample does.
func (r *Run) Scrape(ctx context.Context) (read func(name string, match map[string]string) float64, err error) {
	families, err := r.families(ctx)
	if err != nil {
		return nil, err
	}
	return func(name string, match map[string]string) float64 { return sum(families[name], match) }, nil
}

// SettledAfter waits until the run has reconciled at least that many times and has nothing left to do.
func (r *Run) SettledAfter(ctx context.Context, reconciles int) {
	ginkgo.GinkgoHelper()
	queue := map[string]string{"controller": "tokenrequest"}
	gomega.Eventually(func(g gomega.Gomega) {
		families, err := r.families(ctx)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(sum(families["controller_runtime_reconcile_total"], queue)).To(gomega.BeNumerically(">=", reconciles))
		g.Expect(sum(families["workqueue_depth"], queue)).To(gomega.BeZero())
		g.Expect(sum(families["controller_runtime_active_workers"], queue)).To(gomega.BeZero())
	}).WithContext(ctx).Should(gomega.Succeed())
}

func (r *Run) families(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	text, err := r.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	return parse(text)
}

// Asked is a kind of request to the API server. A subresource is "" for the object itself.
type Asked struct{ Verb, Resource, Subresource string }

// writing are the verbs of the API server's metrics that change something.
var writing = []string{"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}

// Writes says that it changes something.
func (a Asked) Writes() bool { return slices.Contains(writing, a.Verb) }

// Traffic counts, from the API server's own metrics, the requests of each kind that it has served to
// anybody since it started.
func (c *Cluster) Traffic(ctx context.Context) map[Asked]float64 {
	ginkgo.GinkgoHelper()
	traffic := map[Asked]float64{}
	for _, metric := range c.families(ctx)["apiserver_request_total"].GetMetric() {
		has := labels(metric)
		traffic[Asked{has["verb"], has["resource"], has["subresource"]}] += metric.GetCounter().GetValue()
	}
	return traffic
}

// CPUSeconds is the processor time that the API server has used since it started, by its own account.
func (c *Cluster) CPUSeconds(ctx context.Context) float64 {
	ginkgo.GinkgoHelper()
	return sum(c.families(ctx)["process_cpu_seconds_total"], nil)
}

// families are the API server's own metrics.
func (c *Cluster) families(ctx context.Context) map[string]*dto.MetricFamily {
	ginkgo.GinkgoHelper()
	families, err := parse(string(raw(ctx, c.admin, "/metrics")))
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return families
}

// Writes counts, from the API server's own metrics, the writes to resources such as "secrets" that it
// has served to anybody since it started.
func (c *Cluster) Writes(ctx context.Context, resources ...string) float64 {
	ginkgo.GinkgoHelper()
	var total float64
	for asked, n := range c.Traffic(ctx) {
		if asked.Writes() && slices.Contains(resources, asked.Resource) {
			total += n
		}
	}
	return total
}

// parse reads the text format of Prometheus.
func parse(text string) (map[string]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parsing metrics: %w", err)
	}
	return families, nil
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

func labels(metric *dto.Metric) map[string]string {
	has := map[string]string{}
	for _, pair := range metric.GetLabel() {
		has[pair.GetName()] = pair.GetValue()
	}
	return has
}

func labelled(metric *dto.Metric, match map[string]string) bool {
	has := labels(metric)
	for name, value := range match {
		if has[name] != value {
			return false
		}
	}
	return true
}
