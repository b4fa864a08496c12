// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

func TestAnIssuerIsLookedAtWhenItsSpecMayHaveChanged(t *testing.T) {
	of := func(uid string, generation int64) *stsv1alpha1.TokenIssuer {
		i := &stsv1alpha1.TokenIssuer{ObjectMeta: metav1.ObjectMeta{Name: "contoso", Generation: generation}}
		i.UID = types.UID(uid)
		return i
	}
	for name, c := range map[string]struct {
		before, after *stsv1alpha1.TokenIssuer
		want          bool
	}{
		"its status was written":                {of("first", 1), of("first", 1), false},
		"its spec was edited":                   {of("first", 1), of("first", 2), true},
		"it was made anew while nobody watched": {of("first", 1), of("second", 1), true},
	} {
		if got := specChanged().Update(event.UpdateEvent{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
			t.Errorf("%s: looked at: %t, want %t", name, got, c.want)
		}
	}
}
