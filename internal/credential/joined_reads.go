// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"reflect"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readTimeout bounds one read, which nobody's patience bounds: others may wait for it still.
const readTimeout = 30 * time.Second

// JoinedReads is a reader that has those share one read who want the same object at the same time: of
// a thousand requests that are due at once, most have their client in common. Nothing is kept beyond
// that, and each gets an object as it was after they had asked. So who comes while a read is under way
// waits for the next one: what is being read may be older than the event that brought them here.
type JoinedReads struct {
	client.Reader

	mu    sync.Mutex
	under map[readable]*turns
}

// JoinReads returns a reader that joins reads of r's. Lists, and reads with options, aren't joined.
func JoinReads(r client.Reader) *JoinedReads {
	return &JoinedReads{Reader: r, under: map[readable]*turns{}}
}

// readable is what can be read: a kind of object, by its Go type, and a name.
type readable struct {
	kind reflect.Type
	name client.ObjectKey
}

// turns are the reads of one object: one that is under way, and one that follows if anybody wants it.
type turns struct{ next *read }

// read is one read, for all who wait for it.
type read struct {
	done   chan struct{}
	object client.Object
	err    error
}

// Get reads an object, as client.Reader says. It returns early with the context's error.
func (j *JoinedReads) Get(ctx context.Context, name client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if len(options) > 0 {
		return j.Reader.Get(ctx, name, into, options...)
	}
	r := j.join(ctx, readable{kind: reflect.TypeOf(into), name: name})
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.err != nil {
		return r.err
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(r.object.DeepCopyObject()).Elem())
	return nil
}

// join returns a read that hasn't begun yet.
func (j *JoinedReads) join(ctx context.Context, what readable) *read {
	j.mu.Lock()
	defer j.mu.Unlock()
	t, busy := j.under[what]
	if !busy {
		t = &turns{}
		j.under[what] = t
		r := newRead(what)
		go j.take(context.WithoutCancel(ctx), what, t, r)
		return r
	}
	if t.next == nil {
		t.next = newRead(what)
	}
	return t.next
}

func newRead(what readable) *read {
	return &read{done: make(chan struct{}), object: reflect.New(what.kind.Elem()).Interface().(client.Object)}
}

// take reads one turn after the other, for as long as somebody waits.
func (j *JoinedReads) take(ctx context.Context, what readable, t *turns, r *read) {
	for r != nil {
		bounded, cancel := context.WithTimeout(ctx, readTimeout)
		r.err = j.Reader.Get(bounded, what.name, r.object)
		cancel()
		close(r.done)
		r = j.turn(what, t)
	}
}

// turn begins the next turn, or ends them.
func (j *JoinedReads) turn(what readable, t *turns) *read {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := t.next
	t.next = nil
	if r == nil {
		delete(j.under, what)
	}
	return r
}
