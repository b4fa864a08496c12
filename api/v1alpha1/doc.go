// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is the contract that users see: the kinds TokenRequest, TokenIssuer and
// ClusterTokenIssuer of the group sts.tokenrequest.dev.
//
// Kubernetes has a TokenRequest of its own, a subresource of service accounts
// (authentication.k8s.io/v1). Documents therefore always say tokenrequests.sts.tokenrequest.dev.
//
// +kubebuilder:object:generate=true
// +groupName=sts.tokenrequest.dev
package v1alpha1
