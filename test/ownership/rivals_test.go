// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package ownership_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
)

// Two writers on one Secret have brought clusters down elsewhere (cert-manager#4846, #5074, #6714). Random
// walks go here through whatever may happen to two requests that want one, and after each step one of
// them has it, or none, and all is quiet.
var _ = Describe("Two requests for one Secret", func() {
	for walk := range 3 {
		It(fmt.Sprintf("have one holder whatever happens, walk %d", walk+1), func(ctx SpecContext) {
			seed := uint64(GinkgoRandomSeed()) + uint64(walk)
			w := &rivalry{tenant: newTenant(ctx, fmt.Sprintf("walk-%d", walk+1)), random: rand.New(rand.NewPCG(seed, 0)), run: cluster.Run()}
			w.run.SettledAfter(ctx, 0)
			for range 16 {
				w.step(ctx)
				By(fmt.Sprintf("seed %d: %s", seed, strings.Join(w.steps, ", ")))
				w.settle(ctx)
			}
			w.run.Stop()
		}, SpecTimeout(8*time.Minute))
	}
})

// rivalry is what a walk knows beside what the API server has.
type rivalry struct {
	tenant operator.Tenant
	random *rand.Rand
	run    *operator.Run
	steps  []string
	// repairs are what the test has had the operator repair: after three it takes its time.
	repairs int

	holder   types.UID      // of the request that held the Secret at the last look, or ""
	held     types.UID      // of the Secret that it held
	stranger *corev1.Secret // as it has to stay, or nil
	consents bool           // to request a
}

const shared = "shared"

func (w *rivalry) rival(name string) *stsv1alpha1.TokenRequest {
	r := w.tenant.Request(name)
	r.Spec.Secret = &stsv1alpha1.TokenSecret{Name: shared}
	return r
}

// step does one of the things that can happen now.
func (w *rivalry) step(ctx SpecContext) {
	GinkgoHelper()
	can := map[string]func(){"restart the operator": func() {
		w.run.Stop()
		w.run = cluster.Run()
	}}
	there := w.requests(ctx)
	for _, name := range []string{"a", "b"} {
		create := func() { Expect(cluster.API.Create(ctx, w.rival(name))).To(Succeed()) }
		remove := func() { Expect(cluster.API.Delete(ctx, w.rival(name))).To(Succeed()) }
		r, exists := there[name]
		if !exists {
			can["create "+name] = create
			continue
		}
		can["delete "+name] = remove
		can["replace "+name] = func() { remove(); create() }
		can["rename "+name] = func() { rename(ctx, r) }
	}
	w.ofTheSecret(ctx, can)
	chosen := slices.Sorted(maps.Keys(can))[w.random.IntN(len(can))]
	w.steps = append(w.steps, chosen)
	can[chosen]()
}

// rename has a request name the shared Secret, or one of its own when it does.
func rename(ctx SpecContext, r *stsv1alpha1.TokenRequest) {
	GinkgoHelper()
	before := r.DeepCopy()
	r.Spec.Secret.Name = shared
	if before.SecretName() == shared {
		r.Spec.Secret.Name = stsv1alpha1.ObjectName(r.Name + "-away")
	}
	Expect(cluster.API.Patch(ctx, r, client.MergeFrom(before))).To(Succeed())
}

// ofTheSecret adds what can happen to the shared Secret.
func (w *rivalry) ofTheSecret(ctx SpecContext, can map[string]func()) {
	GinkgoHelper()
	s := secretOf(w.tenant, shared)
	exists := cluster.API.Get(ctx, client.ObjectKeyFromObject(s), s) == nil
	remove := func() {
		Expect(cluster.API.Delete(ctx, s)).To(Succeed())
		w.stranger, w.consents, w.held = nil, false, ""
	}
	if exists && (w.stranger != nil || w.repairs < 3) {
		can["delete the Secret"] = func() {
			if w.stranger == nil {
				w.repairs++
			}
			remove()
		}
	}
	if w.stranger == nil {
		can["put a stranger's there"] = func() {
			// Whoever is faster: the stranger tries until the name is his.
			Eventually(func() error {
				_ = client.IgnoreNotFound(cluster.API.Delete(ctx, secretOf(w.tenant, shared)))
				w.stranger = secretOf(w.tenant, shared)
				w.stranger.Data = map[string][]byte{"access_token": []byte("theirs"), "other": []byte("theirs too")}
				return cluster.API.Create(ctx, w.stranger)
			}).Should(Succeed())
			w.holder, w.held = "", ""
		}
	}
	if w.stranger != nil && !w.consents && w.repairs < 3 {
		can["consent to a"] = func() {
			w.repairs++
			w.consents = true
			w.stranger.Annotations = map[string]string{stsv1alpha1.AnnotationAdoptableBy: "a"}
			Expect(cluster.API.Update(ctx, w.stranger)).To(Succeed())
		}
	}
}

func (w *rivalry) requests(ctx SpecContext) map[string]*stsv1alpha1.TokenRequest {
	GinkgoHelper()
	list := &stsv1alpha1.TokenRequestList{}
	Expect(cluster.API.List(ctx, list, client.InNamespace(w.tenant.Namespace))).To(Succeed())
	found := map[string]*stsv1alpha1.TokenRequest{}
	for i := range list.Items {
		found[list.Items[i].Name] = &list.Items[i]
	}
	return found
}

// settle waits until what has to hold does, and then sees that nobody writes any more.
func (w *rivalry) settle(ctx SpecContext) {
	GinkgoHelper()
	var holder, held types.UID
	Eventually(func(g Gomega) { holder, held = w.look(ctx, g) }).Should(Succeed())
	w.holder, w.held = holder, held
	// A run that began when there was no request has nothing to go through.
	w.run.SettledAfter(ctx, min(len(w.requests(ctx)), 1))
	quiet := w.versions(ctx)
	Consistently(func() map[string]string { return w.versions(ctx) }, "700ms", "100ms").Should(Equal(quiet))
}

// look checks what has to hold, and returns the holder of the shared Secret and that Secret.
func (w *rivalry) look(ctx SpecContext, g Gomega) (holder, held types.UID) {
	s := secretOf(w.tenant, shared)
	exists := cluster.API.Get(ctx, client.ObjectKeyFromObject(s), s) == nil
	var has string // the request that has the Secret
	switch {
	case w.stranger != nil:
		has = w.lookAtStranger(g, s)
	case exists:
		owner := metav1.GetControllerOf(s)
		g.Expect(owner).NotTo(BeNil())
		has, holder, held = owner.Name, owner.UID, s.UID
		g.Expect(s.Data).To(HaveKey("access_token"))
	}
	wanted := false
	for name, r := range w.requests(ctx) {
		ready := meta.FindStatusCondition(r.Status.Conditions, stsv1alpha1.ConditionReady)
		g.Expect(ready).NotTo(BeNil())
		g.Expect(ready.ObservedGeneration).To(Equal(r.Generation))
		if r.SecretName() == shared && name != has {
			g.Expect(ready.Reason).To(Equal(stsv1alpha1.ReasonSecretConflict), name)
			if holder != "" {
				g.Expect(ready.Message).To(ContainSubstring("TokenRequest "+has), name)
			}
		} else {
			g.Expect(ready.Reason).To(Equal(stsv1alpha1.ReasonTokenValid), name)
		}
		wanted = wanted || r.SecretName() == shared
		if r.SecretName() == shared && r.UID == w.holder && w.stranger == nil {
			g.Expect(holder).To(Equal(w.holder), "who holds the Secret keeps it while he names it")
			if w.held != "" {
				g.Expect(held).To(Equal(w.held), "it is the same Secret")
			}
		}
	}
	g.Expect(exists).To(Equal(wanted || w.stranger != nil), "a Secret is there just when it is wanted")
	if holder != "" {
		r := w.requests(ctx)[has]
		g.Expect(r).NotTo(BeNil())
		g.Expect(r.UID).To(Equal(holder))
		g.Expect(r.SecretName()).To(Equal(shared))
	}
	return holder, held
}

// lookAtStranger checks that a stranger's Secret stays as it is, but for the keys of the request that
// may write there, whose name it returns.
func (w *rivalry) lookAtStranger(g Gomega, s *corev1.Secret) string {
	g.Expect(s.UID).To(Equal(w.stranger.UID))
	g.Expect(s.OwnerReferences).To(BeEmpty())
	g.Expect(s.Data).To(HaveKeyWithValue("other", []byte("theirs too")))
	if !w.consents {
		g.Expect(s.ResourceVersion).To(Equal(w.stranger.ResourceVersion))
		return ""
	}
	return "a"
}

// versions are those of all requests and Secrets of the walk.
func (w *rivalry) versions(ctx SpecContext) map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	for name, r := range w.requests(ctx) {
		found["TokenRequest "+name] = r.ResourceVersion
	}
	for _, s := range secrets(ctx, w.tenant).Items {
		found["Secret "+s.Name] = s.ResourceVersion
	}
	return found
}
