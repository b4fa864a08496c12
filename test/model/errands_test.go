// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// A world lives in a bubble of testing/synctest: that alone can tell that every flight has landed, or waits for an answer, or
// waits for another flight, without a sleep. A request to the API server must not be made in there, since the client's
// connections serve all worlds: a goroutine outside does the errand, and whoever waits for it isn't durably blocked.

// errand is a goroutine outside all bubbles.
type errand struct {
	do   chan func()
	done chan struct{}
}

// errands are those that have nothing to do.
var errands = make(chan *errand, 8)

func startErrands() {
	for range cap(errands) {
		e := &errand{do: make(chan func()), done: make(chan struct{})}
		go func() {
			for f := range e.do {
				f()
				e.done <- struct{}{}
			}
		}()
		errands <- e
	}
}

// outside runs f outside the bubble, and waits for it.
func outside(f func()) {
	e := <-errands
	e.do <- f
	<-e.done
	errands <- e
}

// fromWithin is the live client for use in a bubble. A context doesn't leave it, hence ends no request.
func fromWithin() client.WithWatch {
	return interceptor.NewClient(apiServer, interceptor.Funcs{
		Get: func(_ context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) (err error) {
			outside(func() { err = c.Get(context.Background(), key, o, opts...) })
			return err
		},
		List: func(_ context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) (err error) {
			outside(func() { err = c.List(context.Background(), list, opts...) })
			return err
		},
		Create: func(_ context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) (err error) {
			outside(func() { err = c.Create(context.Background(), o, opts...) })
			return err
		},
		Delete: func(_ context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) (err error) {
			outside(func() { err = c.Delete(context.Background(), o, opts...) })
			return err
		},
		Update: func(_ context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) (err error) {
			outside(func() { err = c.Update(context.Background(), o, opts...) })
			return err
		},
		Patch: func(_ context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) (err error) {
			outside(func() { err = c.Patch(context.Background(), o, p, opts...) })
			return err
		},
		SubResourcePatch: func(_ context.Context, c client.Client, name string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) (err error) {
			outside(func() { err = c.SubResource(name).Patch(context.Background(), o, p, opts...) })
			return err
		},
	})
}
