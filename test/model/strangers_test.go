// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// meddle has somebody else change something.
func (w *world) meddle() {
	name := one(w.random, w.names)
	one(w.random, []func(types.NamespacedName){
		w.editGates, w.takeGateAway, w.deleteGates, w.labelSecret, w.unlabelSecret, w.wipeStatus, w.changeCredential, w.force, w.hesitate, w.changeSpec,
	})(name)
}

// gates is the throttle ConfigMap, nil when there is none.
func (w *world) gates() *corev1.ConfigMap {
	m := &corev1.ConfigMap{}
	err := w.people.Get(w.ctx(), w.configMap, m)
	if apierrors.IsNotFound(err) {
		return nil
	}
	w.must("reading the throttle ConfigMap", err)
	return m
}

func (w *world) must(what string, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

// seen has the books read what became of the throttle ConfigMap.
func (w *world) seen(m *corev1.ConfigMap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.books.edited(m)
}

func (w *world) editGates(types.NamespacedName) {
	if m := w.gates(); m != nil {
		w.note("somebody writes into the throttle ConfigMap")
		before := m.DeepCopy()
		if m.Data == nil {
			m.Data = map[string]string{}
		}
		m.Data["note"] = "who wrote this?"
		w.must("editing the throttle ConfigMap", w.people.Patch(w.ctx(), m, client.MergeFrom(before)))
		w.seen(m)
	}
}

func (w *world) takeGateAway(types.NamespacedName) {
	if m := w.gates(); m != nil && len(m.Data) > 0 {
		key := one(w.random, slices.Sorted(maps.Keys(m.Data)))
		w.note("somebody takes %s out of the throttle ConfigMap", key)
		before := m.DeepCopy()
		delete(m.Data, key)
		w.must("editing the throttle ConfigMap", w.people.Patch(w.ctx(), m, client.MergeFrom(before)))
		w.seen(m)
	}
}

func (w *world) deleteGates(types.NamespacedName) {
	if m := w.gates(); m != nil {
		w.note("somebody deletes the throttle ConfigMap")
		w.must("deleting the throttle ConfigMap", w.people.Delete(w.ctx(), m))
		w.seen(nil)
	}
}

func (w *world) labelSecret(name types.NamespacedName) {
	w.editSecret(name, func(s *corev1.Secret) { s.Labels["team"] = fmt.Sprint(w.random.IntN(100)) })
}

func (w *world) unlabelSecret(name types.NamespacedName) {
	w.editSecret(name, func(s *corev1.Secret) { delete(s.Labels, stsv1alpha1.LabelManaged) })
}

func (w *world) editSecret(name types.NamespacedName, change func(*corev1.Secret)) {
	before := w.read(name).secret
	if before == nil {
		return
	}
	w.note("somebody edits Secret %s", name)
	s := before.DeepCopy()
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	change(s)
	w.must("editing a Secret", w.people.Patch(w.ctx(), s, client.MergeFrom(before)))
	w.changed(name)
}

func (w *world) wipeStatus(name types.NamespacedName) {
	w.note("somebody wipes the status of %s", name)
	r := &stsv1alpha1.TokenRequest{}
	w.must("reading a TokenRequest", w.people.Get(w.ctx(), name, r))
	before := r.DeepCopy()
	r.Status = stsv1alpha1.TokenRequestStatus{}
	w.must("wiping a status", w.people.Status().Patch(w.ctx(), r, client.MergeFrom(before)))
	delete(w.told, name)
	w.changed(name)
}

func (w *world) changeCredential(name types.NamespacedName) {
	w.note("somebody changes the credential in %s", name.Namespace)
	w.versions[name.Namespace]++
	w.must("changing a credential", w.people.Update(w.ctx(), w.credential(name.Namespace)))
	for _, other := range w.names {
		if other.Namespace == name.Namespace {
			w.due[other] = w.time.trueTime()
		}
	}
}

func (w *world) force(name types.NamespacedName) {
	w.note("somebody wants %s refreshed", name)
	w.edit(name, func(r *stsv1alpha1.TokenRequest) {
		r.Annotations = map[string]string{stsv1alpha1.AnnotationRefreshRequestedAt: fmt.Sprint(w.random.Uint64())}
	})
}

// hesitate wants a request refreshed and, while the token service thinks, takes that back, as a tool does that keeps objects as
// they are in git.
func (w *world) hesitate(name types.NamespacedName) {
	w.force(name)
	w.holds = 100
	w.reconcile(name)
	w.holds = 0
	w.note("somebody takes that back")
	w.edit(name, func(r *stsv1alpha1.TokenRequest) { r.Annotations = nil })
	if len(w.held) > 0 {
		w.answer(w.held[len(w.held)-1])
	}
}

func (w *world) changeSpec(name types.NamespacedName) {
	w.note("somebody changes the resources of %s", name)
	w.edit(name, func(r *stsv1alpha1.TokenRequest) {
		r.Spec.Resources = []stsv1alpha1.Resource{stsv1alpha1.Resource(fmt.Sprint("https://resource.example/", w.random.IntN(3)))}
	})
}

func (w *world) edit(name types.NamespacedName, change func(*stsv1alpha1.TokenRequest)) {
	r := &stsv1alpha1.TokenRequest{}
	w.must("reading a TokenRequest", w.people.Get(w.ctx(), name, r))
	before := r.DeepCopy()
	change(r)
	w.must("editing a TokenRequest", w.people.Patch(w.ctx(), r, client.MergeFrom(before)))
	w.changed(name)
}

// changed has the operator's watches tell of a change.
func (w *world) changed(name types.NamespacedName) {
	w.due[name] = w.time.trueTime()
}
