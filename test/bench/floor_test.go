// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/bench/report"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// floor is the least that anybody can do for a TokenRequest, and nothing else: one call for a token, one
// Secret created, one status patched. It knows beforehand what to ask and where, it looks at nothing, it
// remembers nothing, and it has an administrator's rights, which no flow control holds back.
type floor struct {
	sim     *stssim.Server
	http    *http.Client
	core    kubernetes.Interface
	ours    rest.Interface
	secrets map[string]string // by namespace
}

// floors are the times that the floor took, and what it takes to create the objects that it begins with.
type floors struct {
	served  []time.Duration
	created time.Duration
}

// floor measures it for n objects, which are there before it begins and gone when it returns. The operator
// must not run meanwhile.
func (s *stage) floor(ctx SpecContext, admin *rest.Config, n int) floors {
	GinkgoHelper()
	s.floors++
	f := newFloor(s.sim, admin)
	list := s.requests(ctx, fmt.Sprintf("floor-%d", s.floors), n)
	for _, r := range list {
		f.secrets[r.Namespace] = string(operator.Tenant{Namespace: r.Namespace}.Credential().Data[operator.CredentialKey])
	}
	created := s.create(ctx, nil, list)

	finish := s.profileServer(ctx, "floor.apiserver")
	done := make(chan time.Duration, n)
	start := time.Now()
	parallel(list, func(r *stsv1alpha1.TokenRequest) error {
		defer func() { done <- time.Since(start) }()
		return f.serve(ctx, r)
	})
	finish()
	close(done)
	var times []time.Duration
	for at := range done {
		times = append(times, at)
	}
	slices.Sort(times)
	for namespace := range f.secrets {
		for _, kind := range []client.Object{&stsv1alpha1.TokenRequest{}, &corev1.Secret{}} {
			Expect(s.cluster.API.DeleteAllOf(ctx, kind, client.InNamespace(namespace))).To(Succeed())
		}
	}
	tell("  floor of %d: %.1f s, after %.1f s to create them", n, seconds(times), created.Seconds())
	return floors{times, created}
}

// compare sets wallSeconds against the floor, of which one was measured before it and one after.
func (s *stage) compare(f report.Figures, before, after floors) {
	s.series = append(s.series, report.Series{Name: "floor, before", At: before.served}, report.Series{Name: "floor, after", At: after.served})
	f["floorBeforeSeconds"], f["floorAfterSeconds"] = seconds(before.served), seconds(after.served)
	f["floorSeconds"] = (f["floorBeforeSeconds"] + f["floorAfterSeconds"]) / 2
	f["ratio"] = f["wallSeconds"] / f["floorSeconds"]
}

func newFloor(sim *stssim.Server, admin *rest.Config) *floor {
	GinkgoHelper()
	f := &floor{sim: sim, http: sim.HTTPClient(), secrets: map[string]string{}}
	// As many connections as workers, kept alive: none of them waits for a handshake twice.
	f.http.Transport.(*http.Transport).MaxIdleConnsPerHost = writers
	var err error
	f.core, err = kubernetes.NewForConfig(admin)
	Expect(err).NotTo(HaveOccurred())
	ours := rest.CopyConfig(admin)
	ours.GroupVersion, ours.APIPath, ours.NegotiatedSerializer = &stsv1alpha1.GroupVersion, "/apis", scheme.Codecs.WithoutConversion()
	f.ours, err = rest.RESTClientFor(ours)
	Expect(err).NotTo(HaveOccurred())
	return f
}

func (f *floor) serve(ctx context.Context, r *stsv1alpha1.TokenRequest) error {
	token, err := f.ask(ctx, r)
	if err != nil {
		return err
	}
	_, err = f.core.CoreV1().Secrets(r.Namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: r.Name},
		StringData: map[string]string{"access_token": token, "token_type": "Bearer"},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	now := time.Now().UTC().Format(time.RFC3339)
	patch := fmt.Sprintf(`{"status":{"observedGeneration":1,"conditions":[`+
		`{"type":"Ready","status":"True","reason":"TokenValid","message":"","lastTransitionTime":%[1]q,"observedGeneration":1},`+
		`{"type":"Issued","status":"True","reason":"TokenIssued","message":"","lastTransitionTime":%[1]q,"observedGeneration":1}],`+
		`"token":{"secretName":%[2]q,"tokenType":"Bearer","issuedAt":%[1]q,"expiresAt":%[1]q,"refreshAt":%[1]q}}}`, now, r.Name)
	_, err = f.ours.Patch(types.MergePatchType).Namespace(r.Namespace).Resource("tokenrequests").Name(r.Name).SubResource("status").
		Body([]byte(patch)).DoRaw(ctx)
	return err
}

// ask is RFC 6749, section 4.4.2.
func (f *floor) ask(ctx context.Context, r *stsv1alpha1.TokenRequest) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {string(r.Spec.Scopes[0])}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.sim.PlainIssuer(r.Namespace)+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(r.Namespace, f.secrets[r.Namespace])
	response, err := f.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.AccessToken == "" {
		return "", fmt.Errorf("the STS gave no token: %s", response.Status)
	}
	return answer.AccessToken, nil
}

// seconds is how long all took of whom each took so long.
func seconds(sorted []time.Duration) float64 { return sorted[len(sorted)-1].Seconds() }
