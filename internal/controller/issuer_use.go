// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// IssuerUse counts requests by their issuer: by its kind, and by the name of each ClusterTokenIssuer
// that is there.
type IssuerUse struct {
	Inline, TokenIssuer, ClusterTokenIssuer int
	Cluster                                 map[string]int
}

// IssuerUse counts the requests in the cache. A ClusterTokenIssuer is named when it is there: whoever
// may create requests could refer to as many names as they like.
func (r *Reconciler) IssuerUse(ctx context.Context) IssuerUse {
	use := IssuerUse{Cluster: map[string]int{}}
	if r.OperatorNamespace != "" {
		for _, key := range r.issuers(ctx, &stsv1alpha1.ClusterTokenIssuerList{}) {
			use.Cluster[key.Name] = 0
		}
	}
	for request := range r.Requests {
		ref := request.Spec.IssuerRef
		switch {
		case ref == nil:
			use.Inline++
		case ref.Kind == stsv1alpha1.IssuerKindTokenIssuer:
			use.TokenIssuer++
		default:
			use.ClusterTokenIssuer++
			if _, there := use.Cluster[string(ref.Name)]; there {
				use.Cluster[string(ref.Name)]++
			}
		}
	}
	return use
}
