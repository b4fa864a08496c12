// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// memory spares the API server the repetition of reads. All writes of a world pass through its client, so what was read or
// written last is what there is: nothing is ever stale. Tens of thousands of steps are read here, and written there.
type memory struct {
	mu    sync.Mutex
	known map[string]remembered
}

// remembered is an object or a list, or that there is none.
type remembered struct {
	object runtime.Object
	err    error
}

// nameOf names an object or a list in the memory.
func nameOf(o any, namespace, name string) string {
	return fmt.Sprintf("%T %s/%s", o, namespace, name)
}

// read answers into an object or list, asking the API server when it has to.
func (m *memory) read(name string, into runtime.Object, ask func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.known[name]
	if !ok {
		found.err = ask()
		if found.err != nil && !apierrors.IsNotFound(found.err) {
			return found.err
		}
		found.object = into.DeepCopyObject()
		m.known[name] = found
	}
	if found.err == nil {
		reflect.ValueOf(into).Elem().Set(reflect.ValueOf(found.object.DeepCopyObject()).Elem())
	}
	return found.err
}

// written takes in what a write has made of an object, or forgets it when that isn't sure.
func (m *memory) written(o client.Object, gone bool, err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := nameOf(o, o.GetNamespace(), o.GetName())
	delete(m.known, name)
	delete(m.known, fmt.Sprintf("%TList %s/", o, o.GetNamespace()))
	if err == nil && !gone {
		m.known[name] = remembered{object: o.DeepCopyObject()}
	}
	return err
}

// client is the client of all who live in a world.
func (m *memory) client() client.WithWatch {
	return interceptor.NewClient(fromWithin(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			return m.read(nameOf(o, key.Namespace, key.Name), o, func() error { return c.Get(ctx, key, o, opts...) })
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			namespace := (&client.ListOptions{}).ApplyOptions(opts).Namespace
			return m.read(nameOf(list, namespace, ""), list, func() error { return c.List(ctx, list, opts...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return m.written(o, false, c.Create(ctx, o, opts...))
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return m.written(o, true, c.Delete(ctx, o, opts...))
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return m.written(o, false, c.Update(ctx, o, opts...))
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
			return m.written(o, false, c.Patch(ctx, o, patch, opts...))
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, o client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			return m.written(o, false, c.SubResource(name).Patch(ctx, o, patch, opts...))
		},
	})
}
