// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package configmap

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/internal/throttle"
)

const (
	// fieldManager owns what is written, under the name of all the operator's writes.
	fieldManager = "tokenrequest-operator"

	// mostTries bounds the repetitions after a conflict. There is no second writer but a former leader's last write or a
	// person with an editor.
	mostTries = 5

	// descriptionAnnotation is the well-known annotation for a description to be read by people.
	descriptionAnnotation = "kubernetes.io/description"

	description = "Requests that token services asked to wait with, one data key each, so that a restart of the operator doesn't repeat them " +
		"early. Written by tokenrequest-operator; other data keys are removed. It holds no secrets. Deleting it lifts no gate: the " +
		"operator has them in memory too, and a TokenRequest that waits has its own status.nextAttemptAt."
)

// write stores the cache's present state and notes in c which version that is. A conflict means that somebody else wrote: what
// they stored is merged into the cache, where the later instant wins, and the whole is written again.
func (s *Store[E]) write(ctx context.Context, c *commit) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var err error
	for range mostTries {
		entries, meta := s.take(c)
		if err = s.put(ctx, meta, entries); err == nil {
			return nil
		}
		gone := apierrors.IsNotFound(err) && meta.ResourceVersion != ""
		if !gone && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			break
		}
		if readErr := s.read(ctx); readErr != nil {
			return readErr
		}
	}
	return fmt.Errorf("writing ConfigMap %s: %w", s.key, err)
}

// take returns what is to be written now, and the ConfigMap that it replaces.
func (s *Store[E]) take(c *commit) ([]throttle.Entry[E], metav1.ObjectMeta) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, version := s.cache.Snapshot()
	c.taken, c.version, c.opens, s.stale = true, version, first(entries), false
	return entries, *s.seen.DeepCopy()
}

// put writes the entries with one request: an update of the very ConfigMap that meta says, or a create when meta says none.
// The data is replaced as a whole, so what has expired and what isn't ours goes; metadata of others stays.
func (s *Store[E]) put(ctx context.Context, meta metav1.ObjectMeta, entries []throttle.Entry[E]) error {
	data, err := encode(entries)
	if err != nil {
		return err
	}
	meta.Name, meta.Namespace = s.key.Name, s.key.Namespace
	metav1.SetMetaDataLabel(&meta, "app.kubernetes.io/managed-by", fieldManager)
	metav1.SetMetaDataLabel(&meta, "app.kubernetes.io/part-of", fieldManager)
	metav1.SetMetaDataAnnotation(&meta, descriptionAnnotation, description)
	object := &corev1.ConfigMap{ObjectMeta: meta, Data: data}
	if meta.ResourceVersion == "" {
		err = s.client.Create(ctx, object, client.FieldOwner(fieldManager))
	} else {
		err = s.client.Update(ctx, object, client.FieldOwner(fieldManager))
	}
	s.wrote(size(data))
	if err == nil {
		s.see(object.ObjectMeta)
	}
	return err
}

// read gets the ConfigMap and merges what it holds into the cache.
func (s *Store[E]) read(ctx context.Context) error {
	var object corev1.ConfigMap
	err := s.client.Get(ctx, s.key, &object)
	if apierrors.IsNotFound(err) {
		s.see(metav1.ObjectMeta{})
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading ConfigMap %s: %w", s.key, err)
	}
	entries, problems := decode[E](&object)
	for _, problem := range problems {
		s.onGarbage(problem)
	}
	s.cache.Restore(entries)
	s.see(object.ObjectMeta)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens = first(entries)
	return nil
}

// first returns when the first of the gates opens; zero when there is none.
func first[E any](entries []throttle.Entry[E]) (opens time.Time) {
	for _, e := range entries {
		if opens.IsZero() || e.Until.Before(opens) {
			opens = e.Until
		}
	}
	return opens
}

// see notes the metadata of the ConfigMap as it is now, less the managed fields: they name each data key once more, and an
// update without them leaves them to the API server.
func (s *Store[E]) see(meta metav1.ObjectMeta) {
	meta.ManagedFields = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = meta
}
