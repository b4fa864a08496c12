// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

const (
	tenants   = 8
	perTenant = 25
)

// patient is one TokenRequest under observation.
type patient struct {
	request *stsv1alpha1.TokenRequest
	tenant  string
	client  string
	issuer  string // its issuer at the STS
	secret  string // the Secret's name
	sts     *stssim.Server
	own     bool // no other request asks as its client
	finds   bool // by way of discovery
}

func (p *patient) String() string { return p.tenant + "/" + p.request.Name }

// scope is the one scope of the request, which no edit changes.
func (p *patient) scope() string { return string(p.request.Spec.Scopes[0]) }

// lifetimes are those of the tenants' shared clients. A client of its own draws one.
func lifetimes() [tenants]time.Duration {
	var list [tenants]time.Duration
	for i, seconds := range []int{20, 24, 28, 32, 36, 40, 50, 60} {
		list[i] = time.Duration(seconds) * time.Second
	}
	return list
}

// variations are what requests differ in, besides their client and lifetime: each shape is given to
// every request whose number it divides. Another shape is another line.
func variations() []struct {
	every int
	apply func(p *patient, n int)
} {
	return []struct {
		every int
		apply func(p *patient, n int)
	}{
		{3, throughTokenIssuer},
		{4, func(p *patient, _ int) { // the address is known, no discovery
			if issuer := p.request.Spec.Issuer; issuer != nil {
				issuer.TokenEndpoint, issuer.Authority = issuer.Authority+"/token", ""
				p.finds = false
			}
		}},
		{5, func(p *patient, n int) {
			secret := wanted(p.request)
			secret.Labels = map[string]stsv1alpha1.LabelValue{"app.kubernetes.io/part-of": stsv1alpha1.LabelValue("soak-" + strconv.Itoa(n))}
			secret.Annotations = map[string]stsv1alpha1.AnnotationValue{"soak.example/number": stsv1alpha1.AnnotationValue(strconv.Itoa(n))}
		}},
		{6, func(p *patient, _ int) { // asks the very same as the one before it, and may share its token
			p.request.Spec.Scopes = []stsv1alpha1.Scope{stsv1alpha1.Scope("shared-of-" + p.tenant)}
		}},
		{7, func(p *patient, _ int) {
			wanted(p.request).Name = stsv1alpha1.ObjectName("token-of-" + p.request.Name)
			p.secret = "token-of-" + p.request.Name
		}},
		{8, func(p *patient, _ int) { // a shape of its own, in which the token stands twice
			wanted(p.request).Data = map[string]stsv1alpha1.SecretTemplate{
				"access_token": "{{ .AccessToken }}", "token_type": "{{ .TokenType }}", "scope": "{{ .Scope }}", "expires_at": "{{ .ExpiresAt }}",
				authorization: "Bearer {{ .AccessToken }}",
			}
		}},
	}
}

func throughTokenIssuer(p *patient, _ int) {
	if p.own {
		return
	}
	p.request.Spec.Issuer = nil
	p.request.Spec.IssuerRef = &stsv1alpha1.IssuerRef{Kind: stsv1alpha1.IssuerKindTokenIssuer, Name: "shared"}
}

// authorization is the key of a header, in the Secrets that have one.
const authorization = "authorization"

// shaped says that the request asks for a header.
func (p *patient) shaped() bool {
	return p.request.Spec.Secret != nil && p.request.Spec.Secret.Data != nil
}

func wanted(r *stsv1alpha1.TokenRequest) *stsv1alpha1.TokenSecret {
	if r.Spec.Secret == nil {
		r.Spec.Secret = &stsv1alpha1.TokenSecret{}
	}
	return r.Spec.Secret
}

// admit makes the tenants, their clients and issuers, and all requests.
// The last tenant has an STS of its own, so that one whose connections break breaks for nobody else.
func admit(ctx SpecContext, dice *rand.Rand, common, lonely *stssim.Server) []*patient {
	GinkgoHelper()
	var all []*patient
	for i, lifetime := range lifetimes() {
		sim := common
		if i == tenants-1 {
			sim = lonely
		}
		tenant := operator.Tenant{Namespace: fmt.Sprintf("soak-%d", i), STS: sim}
		cluster.Admit(ctx, tenant)
		register(sim, tenant.Namespace, tenant.Namespace, string(tenant.Credential().Data[operator.CredentialKey]), lifetime)
		shared := *tenant.Request("").Spec.Issuer
		shared.Timeout = &metav1.Duration{Duration: timeout}
		Expect(cluster.API.Create(ctx, &stsv1alpha1.TokenIssuer{
			ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: "shared"}, Spec: shared,
		})).To(Succeed())
		for n := range perTenant {
			p := conceive(ctx, dice, tenant, n, lifetime)
			Expect(cluster.API.Create(ctx, p.request)).To(Succeed(), "%s", p)
			all = append(all, p)
		}
	}
	return all
}

// conceive is the n-th request of a tenant, not yet created.
func conceive(ctx SpecContext, dice *rand.Rand, tenant operator.Tenant, n int, lifetime time.Duration) *patient {
	GinkgoHelper()
	r := tenant.Request(fmt.Sprintf("r%02d", n))
	p := &patient{request: r, tenant: tenant.Namespace, client: tenant.Namespace, secret: r.Name, sts: tenant.STS, own: n%8 == 0, finds: true}
	p.issuer = string(r.Spec.Issuer.Authority)
	r.Spec.Issuer.Timeout = &metav1.Duration{Duration: timeout}
	if p.own {
		lifetime = time.Duration(10+dice.IntN(51)) * time.Second
		p.client = p.tenant + "-" + r.Name
		r.Spec.Issuer.ClientID = p.client
		r.Spec.Issuer.Credential.ClientSecret.SecretRef.Name = stsv1alpha1.ObjectName(p.client)
		password := "stssim-own-secret-of-" + p.client
		Expect(cluster.API.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.tenant, Name: p.client},
			Data:       map[string][]byte{operator.CredentialKey: []byte(password)},
		})).To(Succeed())
		register(tenant.STS, p.tenant, p.client, password, lifetime)
	}
	// The policy's margin of two minutes would have tokens of seconds fetched at a quarter of their life.
	r.Spec.RefreshBefore = &metav1.Duration{Duration: (lifetime / 2).Truncate(time.Second)}
	for _, v := range variations() {
		if n%v.every == 0 {
			v.apply(p, n)
		}
	}
	return p
}

func register(sim *stssim.Server, tenant, client, password string, lifetime time.Duration) {
	GinkgoHelper()
	Expect(sim.PutClient(stssim.Client{
		Tenant: tenant, ID: client, Secrets: []stssim.Secret{{Value: password}}, Lifetime: stssim.Duration(lifetime),
	})).To(Succeed())
}
