// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// auditPolicy has each request of a service account noted, without what is in it.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: [system:serviceaccounts]
- level: None
`

// Audited has the API server write down who asks for what, see Cluster.Used.
func Audited(c *Cluster, environment *envtest.Environment) {
	ginkgo.GinkgoHelper()
	folder := ginkgo.GinkgoT().TempDir()
	c.audit = filepath.Join(folder, "audit.log")
	policy := filepath.Join(folder, "policy.yaml")
	gomega.Expect(os.WriteFile(policy, []byte(auditPolicy), 0o600)).To(gomega.Succeed())
	environment.ControlPlane.GetAPIServer().Configure().Set("audit-log-path", c.audit).Set("audit-policy-file", policy)
}

// auditEvent is as much of an audit.k8s.io/v1 Event as matters here.
type auditEvent struct {
	Verb             string    `json:"verb"`
	Received         time.Time `json:"requestReceivedTimestamp"`
	User             struct{ Username string }
	ImpersonatedUser *struct{}
	ObjectRef        struct{ APIGroup, Resource, Subresource string }
	Annotations      map[string]string
}

// right is what a rule of a role gives and what a request needs, in words: verb, resource and group.
func right(verb, resource, group string) string {
	return verb + " " + resource + " of " + cmp.Or(group, "core")
}

// Used are the rights that the operator has made use of since then, and those that it lacked. Whoever
// watches would list where an API server doesn't stream what is there to begin with, so that counts.
func (c *Cluster) Used(since time.Time) (used, lacked []string) {
	ginkgo.GinkgoHelper()
	log, err := os.Open(c.audit)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	defer log.Close()
	allowed, forbidden := map[string]bool{}, map[string]bool{}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e auditEvent
		gomega.Expect(json.Unmarshal(lines.Bytes(), &e)).To(gomega.Succeed())
		// A Captured client is an administrator.
		if e.User.Username != account || e.ImpersonatedUser != nil || e.Received.Before(since) || e.ObjectRef.Resource == "" {
			continue
		}
		resource := strings.TrimSuffix(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/")
		into := allowed
		if e.Annotations["authorization.k8s.io/decision"] == "forbid" {
			into = forbidden
		}
		into[right(e.Verb, resource, e.ObjectRef.APIGroup)] = true
		if e.Verb == "watch" {
			into[right("list", resource, e.ObjectRef.APIGroup)] = true
		}
	}
	gomega.Expect(lines.Err()).NotTo(gomega.HaveOccurred())
	return slices.Sorted(maps.Keys(allowed)), slices.Sorted(maps.Keys(forbidden))
}

// Rights are all that the operator's roles give it, everywhere or in its namespace.
func (c *Cluster) Rights(ctx context.Context) []string {
	ginkgo.GinkgoHelper()
	var everywhere rbacv1.ClusterRoleBindingList
	var here rbacv1.RoleBindingList
	gomega.Expect(c.API.List(ctx, &everywhere)).To(gomega.Succeed())
	gomega.Expect(c.API.List(ctx, &here, client.InNamespace(Namespace))).To(gomega.Succeed())
	rights := map[string]bool{}
	for _, binding := range everywhere.Items {
		if binds(binding.Subjects) {
			role := &rbacv1.ClusterRole{}
			gomega.Expect(c.API.Get(ctx, client.ObjectKey{Name: binding.RoleRef.Name}, role)).To(gomega.Succeed())
			addRights(rights, role.Rules)
		}
	}
	for _, binding := range here.Items {
		if binds(binding.Subjects) {
			role := &rbacv1.Role{}
			gomega.Expect(c.API.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: binding.RoleRef.Name}, role)).To(gomega.Succeed())
			addRights(rights, role.Rules)
		}
	}
	return slices.Sorted(maps.Keys(rights))
}

func binds(subjects []rbacv1.Subject) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool { return s.Namespace == Namespace && s.Name == serviceAccount })
}

func addRights(rights map[string]bool, rules []rbacv1.PolicyRule) {
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					rights[right(verb, resource, group)] = true
				}
			}
		}
	}
}
