// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// refuses says that the API server will not have a Secret as it was sent, nor if it is sent again. A webhook that
// denies without a code makes that a 400 without a reason, and one may deny with any code.
func refuses(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	switch code := status.Status().Code; {
	case apierrors.IsUnauthorized(err), apierrors.IsNotFound(err), apierrors.IsTimeout(err), apierrors.IsConflict(err), apierrors.IsTooManyRequests(err):
		return false
	default:
		return code >= 400 && code < 500
	}
}

// refusedFields says which fields of a Secret the API server refuses, and in what way, without its
// own words: those quote values, and the values are tokens (external-secrets#5884).
func refusedFields(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return "no reason was given"
	}
	said := cmp.Or(string(status.Status().Reason), fmt.Sprintf("HTTP %d", status.Status().Code))
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
