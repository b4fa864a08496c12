// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
)

// fault is what goes wrong with one write.
type fault int

const (
	sound fault = iota
	// diesBefore and diesAfter: the process dies before or after the write is applied.
	diesBefore
	diesAfter
	// failsBefore and failsAfter: the process gets an error and lives, whether or not the write was applied.
	failsBefore
	failsAfter
)

func (f fault) String() string {
	return [...]string{"sound", "dies before it", "dies after it", "fails", "is applied, and its answer lost"}[f]
}

// errDead is what a dead process hears. Nothing that it does with that matters.
var errDead = errors.New("this process has died")

// writeSort is what is written.
type writeSort string

const (
	writeSecret    writeSort = "Secret"
	writeStatus    writeSort = "status"
	writeConfigMap writeSort = "ConfigMap"
)

// write sends a write, unless the fault that is planned for it says otherwise. It returns whether the write was applied.
func (p *process) write(sort writeSort, name string, send func() error) (applied bool, err error) {
	w := p.world
	w.mu.Lock()
	if p.dead {
		w.mu.Unlock()
		return false, errDead
	}
	f := w.nextFault()
	w.written = append(w.written, sort)
	w.note("write of %s %s: %v", sort, name, f)
	w.injected = w.injected || f != sound
	w.configMapFailed = w.configMapFailed || f != sound && sort == writeConfigMap
	p.dead = f == diesBefore
	w.mu.Unlock()
	if f == diesBefore || f == failsBefore {
		return false, apierrors.NewInternalError(errDead)
	}
	if err := send(); err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applied[sort]++
	p.dead = f == diesAfter
	if f != sound {
		return true, apierrors.NewInternalError(errDead)
	}
	return true, nil
}

// client is what the process reads and writes with. It also shows requests under UIDs that follow from the seed, since the
// operator derives its jitter from them.
func (p *process) client() client.WithWatch {
	return interceptor.NewClient(p.world.people, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if p.isDead() {
				return errDead
			}
			err := c.Get(ctx, key, o, opts...)
			if r, ok := o.(*stsv1alpha1.TokenRequest); ok {
				r.UID = uidOf(key)
			}
			return err
		},
		List: p.list,
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return p.writeGates(o, func() error { return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return p.writeGates(o, func() error { return c.Update(ctx, o, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
			_, err := p.write(writeSecret, o.GetName(), func() error { return c.Patch(ctx, o, patch, opts...) })
			return err
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			_, err := p.write(writeSecret, o.GetName(), func() error { return c.Delete(ctx, o, opts...) })
			return err
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, o client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			p.world.judgeStatus(o.(*stsv1alpha1.TokenRequest))
			_, err := p.write(writeStatus, o.GetName(), func() error { return c.SubResource(name).Patch(ctx, o, patch, opts...) })
			return err
		},
	})
}

func (p *process) isDead() bool {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	return p.dead
}

// writeGates writes the throttle ConfigMap, and has the books read it.
func (p *process) writeGates(o client.Object, send func() error) error {
	applied, err := p.write(writeConfigMap, o.GetName(), send)
	if applied {
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
		p.world.books.writes(o.(*corev1.ConfigMap))
	}
	return err
}

// cached is the client as the operator has it: the Secrets that it sees carry its label.
func (p *process) cached(through client.WithWatch) client.Client {
	return interceptor.NewClient(through, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, o, opts...)
			s, ok := o.(*corev1.Secret)
			if !ok || err != nil {
				return err
			}
			if s.Labels[stsv1alpha1.LabelManaged] != stsv1alpha1.LabelManagedValue {
				*s = corev1.Secret{}
				return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, key.Name)
			}
			*s = *secret.Strip(s)
			return nil
		},
	})
}

// list answers from the index secretName, which an API server doesn't have.
func (p *process) list(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
	if p.isDead() {
		return errDead
	}
	asked := (&client.ListOptions{}).ApplyOptions(opts)
	all, ok := list.(*stsv1alpha1.TokenRequestList)
	if !ok || asked.FieldSelector == nil {
		return fmt.Errorf("listing %T: the model knows TokenRequests by an index alone", list)
	}
	if err := c.List(ctx, all, client.InNamespace(asked.Namespace)); err != nil {
		return err
	}
	var kept []stsv1alpha1.TokenRequest
	for _, r := range all.Items {
		r.UID = uidOf(client.ObjectKeyFromObject(&r))
		if r.SecretName() != r.Name && asked.FieldSelector.Matches(fieldsOf{"secretName": r.SecretName()}) {
			kept = append(kept, r)
		}
	}
	all.Items = kept
	return nil
}

// fieldsOf are the indexed fields of an object.
type fieldsOf map[string]string

// Has says whether there is such a field.
func (f fieldsOf) Has(field string) bool { _, ok := f[field]; return ok }

// Get returns a field.
func (f fieldsOf) Get(field string) string { return f[field] }

// uidOf is a UID that is the same in each run.
func uidOf(name types.NamespacedName) types.UID {
	sum := sha256.Sum256([]byte(name.String()))
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}

// judgeStatus judges a status that is about to be written, when it tells of another failure than before.
func (w *world) judgeStatus(r *stsv1alpha1.TokenRequest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, before := r.Status.LastError, w.looking.Status.LastError
	news := last != nil && (before == nil || before.CorrelationID != last.CorrelationID)
	if !news || w.configMapFailed || !meta.IsStatusConditionTrue(r.Status.Conditions, stsv1alpha1.ConditionThrottled) {
		return
	}
	if c := w.calls[last.CorrelationID]; c != nil {
		w.books.shown(c)
	}
}
