// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// entraAudience is what Microsoft Entra recommends as the audience of a federated credential, and what
// an absent audience means.
const entraAudience = "api://AzureADTokenExchange"

// account is a ServiceAccount that lets tokens be made for one audience.
type account struct {
	types.NamespacedName

	uid      types.UID
	audience string
	field    string // names the audience in the spec
}

// String names the object.
func (a account) String() string { return "ServiceAccount " + a.NamespacedName.String() }

// subject is the sub claim of its tokens.
func (a account) subject() string { return "system:serviceaccount:" + a.Namespace + ":" + a.Name }

// minting is a token that is made of a ServiceAccount just before a call, and its place.
type minting struct {
	of   account
	into func(*Credential) *sts.Sensitive
}

func (p place) federated(ctx context.Context, c *Credential, held *stsv1alpha1.FederatedCredential, field string) (*Problem, error) {
	audience := held.Audience
	if audience == "" {
		audience = entraAudience
	}
	a, problem, err := p.account(ctx, held.ServiceAccountRef.Name, audience, field)
	if problem != nil || err != nil {
		return problem, err
	}
	c.Method = sts.AuthPrivateKeyJWT
	c.Description = a.String()
	c.federated = &a
	c.mintings = append(c.mintings, minting{of: a, into: func(c *Credential) *sts.Sensitive { return &c.Assertion }})
	return nil, nil
}

// account reads a ServiceAccount and whether it serves an audience, which the field names. Nothing is
// minted: the gates are asked before that.
func (p place) account(ctx context.Context, name stsv1alpha1.ObjectName, audience, field string) (account, *Problem, error) {
	if isAPIServer(audience) {
		return account{}, forbidden("The audience %s is the API server's own, so that a token for it would open this cluster. Name the STS's audience in %s.", audience, field), nil
	}
	a := account{NamespacedName: p.key(name), audience: audience, field: field}
	object, read := p.accounts[a.NamespacedName]
	if !read {
		object = &corev1.ServiceAccount{}
		if problem, err := p.get(ctx, "ServiceAccount", a.NamespacedName, object); problem != nil || err != nil {
			return account{}, problem, err
		}
		p.accounts[a.NamespacedName] = object
	}
	a.uid = object.UID
	p.versions = append(p.versions, fmt.Sprintf("%s/%s", a.uid, audience))
	return a, consents(a, object), nil
}

// consents says that a ServiceAccount doesn't serve an audience, or nothing. An audience is compared
// as the STS does it, case included.
func consents(a account, object *corev1.ServiceAccount) *Problem {
	audiences := splitList(object.Annotations[stsv1alpha1.AnnotationAllowedAudiences])
	switch {
	case slices.Contains(audiences, a.audience):
		return nil
	case len(audiences) > 0:
		// A command that sets the annotation would take its other audiences away.
		return forbidden("%s doesn't let tokens be made for the audience %s. Add it to its annotation %s, after a comma, if its owner agrees; the request goes on by itself.",
			a, a.audience, stsv1alpha1.AnnotationAllowedAudiences)
	}
	return forbidden("%s doesn't let tokens be made for the audience %s. If its owner agrees: kubectl annotate serviceaccount %s --namespace=%s --overwrite %s=%s",
		a, a.audience, a.Name, a.Namespace, stsv1alpha1.AnnotationAllowedAudiences, shellWord(a.audience))
}

// shellWord is a word as a shell has to be given it. An audience may hold what a shell would act on, and
// who copies a command out of a message may do more in the cluster than who wrote the audience.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./:@%+=", r)
	}
	if !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// isAPIServer says that an audience is one of those that API servers take by default. Others, which
// --api-audiences names, are found out about before a token is used.
func isAPIServer(audience string) bool {
	host := strings.ToLower(audience)
	if _, rest, absolute := strings.Cut(host, "://"); absolute {
		host = rest
	}
	host = strings.TrimRight(host, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimRight(host, ".")
	return host == "kubernetes.default" || host == "kubernetes.default.svc" || strings.HasPrefix(host, "kubernetes.default.svc.")
}

// FederatedAssertion names the claims of the federated identity's assertion, for a remedy: a trust is
// configured by them. The issuer is known once the minter has made a token. It is nil for a client
// that isn't federated.
func (c *Credential) FederatedAssertion(m *Minter) *oautherr.Assertion {
	if c.federated == nil {
		return nil
	}
	return &oautherr.Assertion{Issuer: m.issuerSeen(), Subject: c.federated.subject(), Audience: c.federated.audience}
}
