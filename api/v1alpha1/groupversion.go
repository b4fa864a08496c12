// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group is the API group of every kind in this package.
const Group = "sts.tokenrequest.dev"

// GroupVersion is the group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: Group, Version: "v1alpha1"}

// AddToScheme registers the kinds of this package. It is a plain function rather than a
// scheme builder filled by init, so that importing the package has no effect by itself.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&TokenRequest{}, &TokenRequestList{},
		&TokenIssuer{}, &TokenIssuerList{},
		&ClusterTokenIssuer{}, &ClusterTokenIssuerList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
