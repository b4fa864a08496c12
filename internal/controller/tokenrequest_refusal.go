// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// refusedFields says which fields of a Secret the API server refuses, and in what way, without its
// own words: those quote values, and the values are tokens (external-secrets#5884).
func refusedFields(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return "no reason was given"
	}
	said := string(status.Status().Reason)
	details := status.Status().Details
	if details == nil {
		return said
	}
	var fields []string
	for _, cause := range details.Causes {
		if cause.Field != "" {
			fields = append(fields, cause.Field+" ("+string(cause.Type)+")")
		}
	}
	if len(fields) == 0 {
		return said
	}
	return said + ": " + strings.Join(fields, ", ")
}
