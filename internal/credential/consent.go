// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// consent is where the owner of a Secret lets its content be sent.
type consent struct {
	// what names the Secret, and the key where it is one that is sent.
	what string
	// use is sentTo or usedAt.
	use string
	// hosts is nil when the owner didn't say, and empty when the answer is nowhere.
	hosts []string
}

// What may be done with a Secret. A private key stays here, but what it signs opens the same doors as a
// client secret.
const (
	sentTo = "sent to"
	usedAt = "used at"
)

func consentOf(what, use string, s *corev1.Secret) consent {
	hosts, said := s.Annotations[stsv1alpha1.AnnotationAllowedHosts]
	if !said {
		return consent{what: what, use: use}
	}
	return consent{what: what, use: use, hosts: splitList(hosts)}
}

func (o consent) allows(host string) bool {
	return o.hosts == nil || slices.ContainsFunc(o.hosts, func(allowed string) bool { return strings.EqualFold(allowed, host) })
}

// undeclared says which owner didn't say where the content of a Secret may be sent, or nil.
func (c *Credential) undeclared() *Problem {
	for _, owner := range c.consents {
		if owner.hosts == nil {
			done, _, _ := strings.Cut(owner.use, " ")
			return forbidden("%s doesn't say where it may be %s, and this operator requires it. Annotate that Secret with %s and the STS's host.",
				owner.what, done, stsv1alpha1.AnnotationAllowedHosts)
		}
	}
	return nil
}

// Permits says why the credential may not be sent to an endpoint, a URL, or nil when it may. The host
// decides, whatever the port. Every Secret counts that something is sent of or signed with, the client
// identifier's too: a clientIDRef can point at any key.
//
// Whoever names a proxy and the certificates to trust can have the proxy answer in the STS's name.
// The proxy's host has to be allowed then as well.
func (c *Credential) Permits(endpoint string) *Problem {
	host := hostname(endpoint)
	if problem := c.permits(host, host); problem != nil {
		return problem
	}
	if c.Transport.ProxyURL == "" || len(c.Transport.RootCAs) == 0 {
		return nil
	}
	proxy := hostname(c.Transport.ProxyURL)
	return c.permits(proxy, "the proxy "+proxy+" under a trust root of the issuer's own")
}

func (c *Credential) permits(host, described string) *Problem {
	for _, owner := range c.consents {
		if !owner.allows(host) {
			return forbidden("%s may not be %s %s. Add that host to its annotation %s if its owner agrees.",
				owner.what, owner.use, described, stsv1alpha1.AnnotationAllowedHosts)
		}
	}
	return nil
}

// hostname is the host of a URL without its port; a URL that can't be read has none.
func hostname(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// splitList reads a list in an annotation. An empty annotation allows nothing, unlike none at all.
func splitList(s string) []string {
	list := []string{}
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}
