// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/internal/credential"
)

// slowReader takes a second for each read, and gives each the number of its beginning as its version.
type slowReader struct {
	client.Reader

	mu    sync.Mutex
	reads int
	err   error
}

func (r *slowReader) Get(_ context.Context, name client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	r.mu.Lock()
	r.reads++
	version, err := strconv.Itoa(r.reads), r.err
	r.mu.Unlock()
	<-time.After(time.Second)
	into.SetName(name.Name)
	into.SetResourceVersion(version)
	if s, ok := into.(*corev1.Secret); ok {
		s.Data = map[string][]byte{"key": []byte(version)}
	}
	return err
}

var graph = client.ObjectKey{Namespace: namespace, Name: "graph"}

// readers has n read the Secret at the same time, and returns what each read when all have.
func readers(j client.Reader, n int) (wait func() []*corev1.Secret) {
	secrets := make([]*corev1.Secret, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			s := &corev1.Secret{}
			if err := j.Get(context.Background(), graph, s); err == nil {
				secrets[i] = s
			}
		})
	}
	return func() []*corev1.Secret {
		all.Wait()
		return secrets
	}
}

func TestWhoAsksTogetherSharesARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &slowReader{}
		j := credential.JoinReads(r)
		first := readers(j, 1)
		synctest.Wait() // the first read is under way
		late := readers(j, 100)

		if got := first()[0].ResourceVersion; got != "1" {
			t.Errorf("the first reader got version %s, want 1", got)
		}
		for _, s := range late() {
			if s.ResourceVersion != "2" {
				t.Fatalf("one who asked during the first read got version %s, want that of a read which began later", s.ResourceVersion)
			}
		}
		if r.reads != 2 {
			t.Errorf("%d reads were made, want 2", r.reads)
		}
		if got := readers(j, 1)()[0].ResourceVersion; got != "3" {
			t.Errorf("one who asked when nobody else did got version %s, want one of his own", got)
		}
	})
}

func TestWhatIsSharedIsACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := credential.JoinReads(&slowReader{})
		first := readers(j, 1)
		synctest.Wait()
		pair := readers(j, 2)()
		first()
		pair[0].Data["key"][0] = 'x'
		if got := string(pair[1].Data["key"]); got != "2" {
			t.Errorf("what one reader changes is seen by another: %q", got)
		}
	})
}

func TestOthersAreReadOnTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &slowReader{}
		j := credential.JoinReads(r)
		secret := readers(j, 1)
		synctest.Wait()
		start := time.Now()
		for _, other := range []struct {
			name client.ObjectKey
			into client.Object
		}{
			{client.ObjectKey{Namespace: "orders", Name: "graph"}, &corev1.Secret{}},
			{graph, &corev1.ConfigMap{}},
			{graph, &metav1.PartialObjectMetadata{}},
		} {
			go func() { _ = j.Get(t.Context(), other.name, other.into) }()
		}
		synctest.Wait()
		if r.reads != 4 {
			t.Errorf("%d reads are under way, want one for each object", r.reads)
		}
		secret()
		if took := time.Since(start); took != time.Second {
			t.Errorf("a reader waited for others' objects: %s", took)
		}
	})
}

func TestAFailedReadFailsForAllWhoShareIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &slowReader{err: errors.New("no leave")}
		j := credential.JoinReads(r)
		var failed sync.WaitGroup
		for range 3 {
			failed.Go(func() {
				if err := j.Get(context.Background(), graph, &corev1.Secret{}); !errors.Is(err, r.err) {
					t.Errorf("got %v, want the reader's error", err)
				}
			})
		}
		failed.Wait()
	})
}

func TestWhoLosesPatienceLeavesTheOthersTheirRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := credential.JoinReads(&slowReader{})
		hasty, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		err := make(chan error)
		go func() { err <- j.Get(hasty, graph, &corev1.Secret{}) }()
		synctest.Wait()
		patient := readers(j, 1)
		if got := <-err; !errors.Is(got, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the patience", got)
		}
		if patient()[0] == nil {
			t.Error("who waited got nothing")
		}
	})
}
