// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
)

// victim is somebody's namespace.
const victim = "victim"

// What each policy says to do.
const (
	createYourself = "Create others yourself; for one that a TokenRequest is to make, give it that as the controller among its owner references."
	askForConsent  = "have its owner set the annotation sts.tokenrequest.dev/adoptable-by to the name of that."
	deleteYourself = "Delete this one yourself."
	setTheLabel    = `Set the label sts.tokenrequest.dev/managed to "true".`
	anotherType    = "Choose another spec.secret.type, or another spec.secret.name."
	writeYourself  = "Write others yourself."
	nameOne        = "Name one."
	nameTheSTSs    = "Name the audience of the STS."
	addTheAudience = "The audience vault is not in the ConfigMap tokenrequest-audiences of the namespace tokenrequest-system. " +
		"An administrator adds it there, as the value of a key of any name."
	askForLess = "Ask for a shorter one."
)

var _ = Describe("An operator that somebody took over", func() {
	DescribeTable("can't create a Secret", func(ctx SpecContext, change func(*corev1.Secret), says string) {
		s := tokenSecret("created")
		Expect(captured.Create(ctx, s.DeepCopy(), client.DryRunAll)).To(Succeed(), "an operator creates this")
		change(s)
		Expect(captured.Create(ctx, s, client.DryRunAll)).To(MatchError(ContainSubstring(says)))
	},
		Entry("of nobody", func(s *corev1.Secret) { s.OwnerReferences = nil }, createYourself),
		Entry("of a TokenRequest that isn't its controller", func(s *corev1.Secret) { s.OwnerReferences[0].Controller = nil }, createYourself),
		Entry("of another kind", func(s *corev1.Secret) { s.OwnerReferences[0].Kind = "TokenIssuer" }, createYourself),
		Entry("of a TokenRequest of another API group", func(s *corev1.Secret) { s.OwnerReferences[0].APIVersion = "authentication.k8s.io/v1" }, createYourself),
		Entry("of an API group that begins like ours", func(s *corev1.Secret) { s.OwnerReferences[0].APIVersion = "sts.tokenrequest.dev.example.com/v1" }, createYourself),
		Entry("without the label", func(s *corev1.Secret) { s.Labels = nil }, setTheLabel),
		Entry("with another value of the label", func(s *corev1.Secret) { s.Labels[stsv1alpha1.LabelManaged] = "false" }, setTheLabel),
		Entry("that Kubernetes fills with a token of a ServiceAccount", func(s *corev1.Secret) {
			s.Type = corev1.SecretTypeServiceAccountToken
			s.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
		}, anotherType),
		Entry("that admits nodes", func(s *corev1.Secret) { s.Type = "bootstrap.kubernetes.io/token" }, anotherType),
		Entry("that Helm takes for a release", func(s *corev1.Secret) { s.Type = "helm.sh/release.v1" }, anotherType),
	)

	DescribeTable("can't change a Secret", func(ctx SpecContext, before, change func(*corev1.Secret), says string) {
		s := tokenSecret("changed")
		before(s)
		stored(ctx, s)
		change(s)
		Expect(captured.Update(ctx, s.DeepCopy(), client.DryRunAll)).To(MatchError(ContainSubstring(says)))
	},
		Entry("of somebody else", foreign, write, askForConsent),
		Entry("of somebody else, by claiming it", foreign, claim, askForConsent),
		Entry("of somebody else, by giving consent itself", foreign, func(s *corev1.Secret) {
			s.Annotations = map[string]string{stsv1alpha1.AnnotationAdoptableBy: "graph"}
			write(s)
		}, askForConsent),
		Entry("that consents, by claiming it", consenting, claim, askForConsent),
		Entry("that consents to nobody", func(s *corev1.Secret) {
			consenting(s)
			s.Annotations[stsv1alpha1.AnnotationAdoptableBy] = ""
		}, write, askForConsent),
		Entry("that consents, without the label", consenting, func(s *corev1.Secret) { write(s); s.Labels = nil }, setTheLabel),
		Entry("that consents, of a forbidden type", func(s *corev1.Secret) { consenting(s); s.Type = "helm.sh/release.v1" }, write, anotherType),
		Entry("of another TokenRequest, even with consent", func(s *corev1.Secret) {
			s.OwnerReferences[0].Name = "another"
			s.Annotations = map[string]string{stsv1alpha1.AnnotationAdoptableBy: "graph"}
		}, func(s *corev1.Secret) { s.OwnerReferences[0].Name = "graph" }, askForConsent),
		Entry("of a TokenRequest, by letting go of it", mine, func(s *corev1.Secret) { s.OwnerReferences = nil }, askForConsent),
		Entry("of a TokenRequest, by hiding it from the operator", mine, func(s *corev1.Secret) { s.Labels = nil }, setTheLabel),
	)

	It("can't get around that by patch or by server-side apply", func(ctx SpecContext) {
		s := tokenSecret("patched")
		foreign(s)
		stored(ctx, s)
		patch := client.RawPatch(types.MergePatchType, []byte(`{"data":{"password":"bWluZQ=="}}`))
		Expect(captured.Patch(ctx, s, patch)).To(MatchError(ContainSubstring(askForConsent)))
		Expect(captured.Apply(ctx, corev1ac.Secret("patched", victim), client.FieldOwner("any"), client.ForceOwnership)).To(MatchError(ContainSubstring(askForConsent)))
		Expect(captured.Apply(ctx, corev1ac.Secret("applied", victim), client.FieldOwner("any"))).To(MatchError(ContainSubstring(createYourself)))
	})

	DescribeTable("can't delete a Secret", func(ctx SpecContext, before func(*corev1.Secret)) {
		s := tokenSecret("deleted")
		before(s)
		stored(ctx, s)
		Expect(captured.Delete(ctx, s, client.DryRunAll)).To(MatchError(ContainSubstring(deleteYourself)))
		Expect(captured.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(victim), client.DryRunAll)).To(MatchError(ContainSubstring(deleteYourself)), "with all others")
	},
		Entry("of somebody else", foreign),
		Entry("that consents", consenting),
	)

	DescribeTable("can't have a token of a ServiceAccount", func(ctx SpecContext, seconds int64, says string, audiences ...string) {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: victim, Name: "loot"}}
		Expect(client.IgnoreAlreadyExists(cluster.API.Create(ctx, account.DeepCopy()))).To(Succeed())
		ask := func(seconds int64, audiences ...string) error {
			return captured.SubResource("token").Create(ctx, account,
				&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: &seconds}})
		}
		Expect(ask(600, entra)).To(Succeed(), "an operator asks so")
		Expect(ask(seconds, audiences...)).To(MatchError(ContainSubstring(says)))
	},
		// The API server puts its own in before the policy is asked.
		Entry("for the API server, by naming nobody", int64(600), "is not in the ConfigMap tokenrequest-audiences"),
		Entry("for two audiences", int64(600), nameOne, entra, "api://AzureADTokenExchangeChina"),
		Entry("for an audience that no administrator has added", int64(600), addTheAudience, "vault"),
		Entry("for an audience that only begins like one", int64(600), "The audience api://AzureADTokenExchange/ is not in", entra+"/"),
		Entry("for more than an hour", int64(3601), askForLess, entra),
		Entry("for the API server", int64(600), nameTheSTSs, "https://kubernetes.default.svc.cluster.local"),
		Entry("for the API server, by its short name", int64(600), nameTheSTSs, "kubernetes.default.svc"),
		Entry("for the API server, in other letters", int64(600), nameTheSTSs, "HTTPS://Kubernetes.Default:443/"),
	)

	It("can't have a token for the API server although somebody added that audience", func(ctx SpecContext) {
		list := &corev1.ConfigMap{}
		Expect(cluster.API.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: "tokenrequest-audiences"}, list)).To(Succeed())
		list.Data["a-mistake"] = apiServer
		Expect(cluster.API.Update(ctx, list)).To(Succeed())
		cluster.AllowAudience(ctx, "after-that", "after-that") // and so both are known
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "tokenrequest-operator"}}
		Expect(captured.SubResource("token").Create(ctx, account,
			&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{apiServer}}})).To(MatchError(ContainSubstring(nameTheSTSs)))
	})

	DescribeTable("can't write", func(ctx SpecContext, object client.Object) {
		Expect(captured.Create(ctx, object, client.DryRunAll)).To(MatchError(ContainSubstring(writeYourself)))
	},
		Entry("a ConfigMap of another name", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "kube-root-ca"}}),
		Entry("a ConfigMap with a name that the API server chooses", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, GenerateName: "tokenrequest-throttle"}}),
		Entry("a ConfigMap elsewhere", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: victim, Name: "tokenrequest-throttle"}}),
		Entry("a lease of another name", &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "another"}}),
		Entry("a lease elsewhere", &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: victim, Name: "tokenrequest-operator"}}),
		Entry("a lease with the name of its ConfigMap", &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operator.Namespace, Name: "tokenrequest-throttle"}}),
	)

	It("can't add an audience, nor delete the list", func(ctx SpecContext) {
		list := &corev1.ConfigMap{}
		Expect(captured.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: "tokenrequest-audiences"}, list)).To(Succeed())
		list.Data["mine"] = "https://attacker.example.com"
		Expect(captured.Update(ctx, list)).To(MatchError(ContainSubstring(writeYourself)))
		Expect(captured.Delete(ctx, list)).To(MatchError(ContainSubstring(writeYourself)))
	})
})

var _ = Describe("The policies", func() {
	It("hold for nobody but the operator", func(ctx SpecContext) {
		s := tokenSecret("of-a-person")
		foreign(s)
		Expect(cluster.API.Create(ctx, s)).To(Succeed())
		Expect(cluster.API.Delete(ctx, s)).To(Succeed())
		Expect(cluster.API.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: victim, Name: "of-a-person"}})).To(Succeed())
	})

	It("leave Secrets of a TokenRequest to its successor of the same name", func(ctx SpecContext) {
		s := tokenSecret("inherited")
		stored(ctx, s)
		s.OwnerReferences[0].UID = "another"
		Expect(captured.Update(ctx, s)).To(Succeed())
		Expect(captured.Delete(ctx, s)).To(Succeed())
	})
})

const (
	entra     = "api://AzureADTokenExchange"
	apiServer = "https://kubernetes.default.svc"
)

// tokenSecret is a Secret as the operator writes it.
func tokenSecret(name string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: victim, Name: name,
			Labels: map[string]string{stsv1alpha1.LabelManaged: stsv1alpha1.LabelManagedValue},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: stsv1alpha1.GroupVersion.String(), Kind: "TokenRequest", Name: "graph", UID: "of-graph", Controller: new(true),
			}},
		},
		Type: corev1.SecretTypeOpaque,
	}
}

// stored has an administrator create a Secret, for as long as the spec runs.
func stored(ctx SpecContext, s *corev1.Secret) {
	GinkgoHelper()
	Expect(cluster.API.Create(ctx, s)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(cluster.API.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}}))).To(Succeed())
	})
}

// What a Secret was before: the operator's, somebody else's, or that with consent.

func mine(*corev1.Secret) {}

func foreign(s *corev1.Secret) { s.OwnerReferences, s.Labels = nil, nil }

func consenting(s *corev1.Secret) {
	foreign(s)
	s.Annotations = map[string]string{stsv1alpha1.AnnotationAdoptableBy: "graph"}
}

// What the operator makes of it.

func write(s *corev1.Secret) {
	s.Data = map[string][]byte{"password": []byte("mine")}
	s.Labels = map[string]string{stsv1alpha1.LabelManaged: stsv1alpha1.LabelManagedValue}
}

func claim(s *corev1.Secret) {
	write(s)
	s.OwnerReferences = tokenSecret("").OwnerReferences
}
