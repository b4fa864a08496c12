//go:build e2e

// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/e2e/reading"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

const (
	namespace = "e2e-mounted"
	// lifetime of a token: the shortest that leaves time for a death of the operator just before a
	// refresh, with the 15 s of its lease, and for a kubelet that looks at its pods each 10 s.
	lifetime = 2 * time.Minute
)

var _ = Describe("A pod with a token that lives for two minutes", Ordered, ContinueOnFailure, func() {
	var (
		written   secretWatch
		survived  []string
		following = map[string]func(*corev1.PodSpec){"volume": asVolume, "projected": projected}
		tenant    operator.Tenant
	)

	BeforeAll(func(ctx SpecContext) {
		deployPrevious(ctx)
		tenant = admit(ctx, namespace)
		Expect(sim.PutClient(stssim.Client{Tenant: namespace, ID: namespace, Lifetime: stssim.Duration(lifetime),
			Secrets: []stssim.Secret{{Value: string(tenant.Credential().Data[operator.CredentialKey])}}})).To(Succeed())
		DeferCleanup(removeNamespace, namespace, NodeTimeout(3*time.Minute))
		written.start()
		// The pods first: they wait for the Secret.
		for name, shape := range following {
			Expect(cluster.API.Create(ctx, reader(name, shape))).To(Succeed())
		}
		Expect(cluster.API.Create(ctx, reader("subpath", asFile))).To(Succeed())
		Expect(cluster.API.Create(ctx, deployed(reader(withVariables, asVariables)))).To(Succeed())
		wanted := tenant.Request("mounted")
		wanted.Spec.Secret = &stsv1alpha1.TokenSecret{Name: tokenSecret}
		Expect(cluster.API.Create(ctx, wanted)).To(Succeed())
		cluster.Await(ctx, wanted, "Ready", "TokenValid")
	}, NodeTimeout(3*time.Minute))

	It("starts when the Secret is there, however it reads the token", func(ctx SpecContext) {
		for _, name := range []string{"volume", "projected", "subpath", podWithVariables(ctx)} {
			Eventually(func() (int, error) {
				read, err := report(ctx, name)
				return len(read.Tokens), err
			}).WithContext(ctx).ShouldNot(BeZero(), name)
		}
	}, SpecTimeout(3*time.Minute))

	It("starts from an image that the token lets it pull", func(ctx SpecContext) {
		host, admitted := aRegistry()
		wanted := pullRequest(host, tenant.Request("registry").Spec.Issuer)
		Expect(cluster.API.Create(ctx, wanted)).To(Succeed())
		cluster.Await(ctx, wanted, "Ready", "TokenValid")
		pod := reader("pulled", pulls(host))
		Expect(cluster.API.Create(ctx, pod)).To(Succeed())
		Eventually(func() (bool, error) {
			err := cluster.API.Get(ctx, client.ObjectKeyFromObject(pod), pod)
			return len(pod.Status.ContainerStatuses) == 1 && pod.Status.ContainerStatuses[0].State.Running != nil, err
		}).WithContext(ctx).Should(BeTrue())
		Expect(admitted.Load()).NotTo(BeZero())
		AddReportEntry("pull", fmt.Sprintf("the image came in %d requests with a valid token as their password", admitted.Load()))
	}, SpecTimeout(3*time.Minute))

	// expectRefresh waits until the pods have read tokens that were issued after now.
	expectRefresh := func(ctx SpecContext) {
		GinkgoHelper()
		now := time.Now()
		for name := range following {
			Eventually(func() (time.Time, error) {
				read, err := report(ctx, name)
				if err != nil || len(read.Tokens) == 0 {
					return time.Time{}, err
				}
				return read.Tokens[len(read.Tokens)-1].IssuedAt, nil
			}).WithContext(ctx).Should(BeTemporally(">", now), name)
		}
	}

	DescribeTable("reads a new token after the operator", func(ctx SpecContext, end func(SpecContext)) {
		before := incarnations(ctx)
		end(ctx)
		Eventually(incarnations).WithContext(ctx).Should(And(HaveLen(len(before)), Not(ContainElement(BeElementOf(before)))))
		survived = append(survived, CurrentSpecReport().LeafNodeText)
		expectRefresh(ctx)
	},
		Entry("was upgraded from an earlier commit", SpecTimeout(4*time.Minute), deploy),
		Entry("was killed in both of its pods", SpecTimeout(4*time.Minute), killed),
		Entry("was killed again, and backed off", SpecTimeout(4*time.Minute), killed),
		Entry("lost its pods", SpecTimeout(4*time.Minute), lost),
		Entry("was rolled out anew", SpecTimeout(4*time.Minute), rolled),
		Entry("was killed in its new pods", SpecTimeout(4*time.Minute), killed),
	)

	It("has never read an expired, partial or missing token", func(ctx SpecContext) {
		for name := range following {
			read, err := report(ctx, name)
			Expect(err).NotTo(HaveOccurred())
			AddReportEntry(name, fmt.Sprintf("%d reads in which %d rotations were seen; gaps %d, expired reads %d, partial reads %d; "+
				"least time left %s; operator restarts survived %d", read.Reads, len(read.Tokens)-1, read.Gaps, read.Expired, read.Partial,
				read.LeastLeft.Round(time.Second), len(survived)))
			Expect(read.Gaps+read.Expired+read.Partial).To(BeZero(), "%s: %s", name, read.Fault)
			Expect(read.Tokens).To(HaveEach(HaveField("Hash", BeElementOf(written.hashes()))))
			Expect(len(read.Tokens)).To(BeNumerically(">", len(survived)))
		}
	})

	// expectOnlyToken holds what a pod has read against what the Secret has held.
	expectOnlyToken := func(ctx SpecContext, pod string) string {
		GinkgoHelper()
		read, err := report(ctx, pod)
		Expect(err).NotTo(HaveOccurred())
		Expect(read.Tokens).To(ConsistOf(HaveField("Hash", BeElementOf(written.hashes()))), pod)
		return read.Tokens[0].Hash
	}

	It("keeps the token it started with where kubelet never updates it, as the README says", func(ctx SpecContext) {
		expectOnlyToken(ctx, "subpath")
		expectOnlyToken(ctx, podWithVariables(ctx))
	})

	It("has a newer one in its environment after a restart, as docs/operations.md says", func(ctx SpecContext) {
		outdated := podWithVariables(ctx)
		before := expectOnlyToken(ctx, outdated)
		command(ctx, kubectl(), "rollout", "restart", "-n", namespace, "deployment/"+withVariables)
		command(ctx, kubectl(), "rollout", "status", "-n", namespace, "deployment/"+withVariables, "--timeout=2m")
		var restarted string
		Eventually(func() string { restarted = podWithVariables(ctx); return restarted }).WithContext(ctx).ShouldNot(Or(BeEmpty(), Equal(outdated)))
		Eventually(func() (int, error) {
			read, err := report(ctx, restarted)
			return read.Reads, err
		}).WithContext(ctx).ShouldNot(BeZero())
		read, err := report(ctx, restarted)
		Expect(err).NotTo(HaveOccurred())
		Expect(expectOnlyToken(ctx, restarted)).NotTo(Equal(before))
		Expect(read.Tokens[0].ExpiresAt).To(BeTemporally(">", read.Tokens[0].FirstRead))
	}, SpecTimeout(3*time.Minute))
})

func lost(ctx SpecContext) {
	GinkgoHelper()
	for _, pod := range operatorPods(ctx) {
		Expect(cluster.API.Delete(ctx, &pod)).To(Succeed())
	}
}

// rolled does what kubectl rollout restart does.
func rolled(ctx SpecContext) {
	GinkgoHelper()
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: theOperator.Namespace, Name: theOperator.Name}}
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`, time.Now())
	Expect(cluster.API.Patch(ctx, deployment, client.RawPatch("application/strategic-merge-patch+json", []byte(patch)))).To(Succeed())
}

// incarnations are the containers in which the operator runs.
func incarnations(ctx SpecContext) []string {
	GinkgoHelper()
	var running []string
	for _, pod := range operatorPods(ctx) {
		for _, container := range pod.Status.ContainerStatuses {
			if container.State.Running != nil {
				running = append(running, container.ContainerID)
			}
		}
	}
	return running
}

// secretWatch knows every token that the Secret has held.
type secretWatch struct {
	mu   sync.Mutex
	seen []string
}

func (w *secretWatch) start() {
	GinkgoHelper()
	// It lasts for all specs, and no context of a node does.
	watch, err := cluster.API.Watch(context.Background(), &corev1.SecretList{}, client.InNamespace(namespace), client.MatchingFields{"metadata.name": tokenSecret})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(watch.Stop)
	go func() {
		for event := range watch.ResultChan() {
			if secret, ok := event.Object.(*corev1.Secret); ok {
				w.mu.Lock()
				w.seen = append(w.seen, reading.Hash(string(secret.Data["access_token"])))
				w.mu.Unlock()
			}
		}
	}()
}

func (w *secretWatch) hashes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}
