// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// commonEndpoint is where most of the requests get their tokens.
const commonEndpoint = "https://sts.example/token"

// world is everything around the operator, and the operator in it.
type world struct {
	t         *testing.T
	random    *rand.Rand
	time      *timeline
	people    client.WithWatch // how everybody else sees and changes the cluster
	prefix    string           // of the namespaces
	configMap types.NamespacedName
	names     []types.NamespacedName // of the requests
	versions  map[string]int         // of each namespace's credential

	process *process
	woken   chan types.NamespacedName
	due     map[types.NamespacedName]time.Duration // true time
	errors  map[types.NamespacedName]int           // in a row
	say     func() answer                          // what the token services say
	held    []*call                                // calls that get no answer for now
	told    map[types.NamespacedName]telling
	// The odds, in hundredths, that a call is held and that a wake-up gets lost.
	holds, loses int
	// latency is how long an answer takes.
	latency func() time.Duration
	// once: each reconcile is made once, and not again at the same instant.
	once bool

	mu              sync.Mutex // guards all below, and the books
	books           *books
	serial          int
	calls           map[string]*call
	arrived         []*call                                  // calls that left since somebody looked
	forced          map[types.NamespacedName]string          // the questions that a person wants asked
	asked           map[string]asking                        // by question, while the call is under way
	landed          map[types.NamespacedName]*call           // that brought a request its last token
	had             map[types.NamespacedName]map[string]bool // the tokens that a request's Secret has ever held
	looking         *stsv1alpha1.TokenRequest
	written         []writeSort // by the reconcile under way
	applied         map[writeSort]int
	injected        bool  // it met a planned fault
	configMapFailed bool  // it couldn't write the ConfigMap
	planned         fault // for the write after so many others
	plannedAfter    int
	events          map[string]int
	violations      []string
	diary           []string
}

// newWorld makes the namespaces and credentials of a world, and starts the operator.
func newWorld(t *testing.T, prefix string, seed uint64, namespaces ...string) *world {
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 7)), time: newTimeline(), people: (&memory{known: map[string]remembered{}}).client(), prefix: prefix,
		configMap: types.NamespacedName{Namespace: prefix + "-operator", Name: "tokenrequest-throttle"},
		versions:  map[string]int{}, woken: make(chan types.NamespacedName, 1024),
		due: map[types.NamespacedName]time.Duration{}, errors: map[types.NamespacedName]int{}, told: map[types.NamespacedName]telling{},
		applied: map[writeSort]int{}, asked: map[string]asking{}, landed: map[types.NamespacedName]*call{}, had: map[types.NamespacedName]map[string]bool{}, calls: map[string]*call{}, forced: map[types.NamespacedName]string{}, events: map[string]int{},
	}
	w.books = &books{
		time: w.time, promises: map[rateKey]*promise{}, outages: map[outageKey]*failure{}, refusals: map[refusalKey]*failure{},
		complain: w.complain,
	}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.configMap.Namespace}})
	for _, n := range namespaces {
		w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace(n)}})
		w.create(w.credential(w.namespace(n)))
	}
	w.start()
	return w
}

func (w *world) namespace(name string) string { return w.prefix + "-" + name }

// credential is the client secret of a namespace, in its present version.
func (w *world) credential(namespace string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "app"},
		Data:       map[string][]byte{"client_secret": []byte(w.credentialValue(namespace))},
	}
}

func (w *world) credentialValue(namespace string) string {
	return fmt.Sprintf("secret of %s, version %d", namespace, w.versions[namespace])
}

// ctx ends with nothing: a bubble's goroutines are waited for.
func (w *world) ctx() context.Context { return context.WithoutCancel(w.t.Context()) }

func (w *world) create(o client.Object) {
	w.t.Helper()
	if err := w.people.Create(w.ctx(), o); err != nil {
		w.t.Fatalf("creating %T %s/%s: %v", o, o.GetNamespace(), o.GetName(), err)
	}
}

// ask creates a request; it is due at once.
func (w *world) ask(namespace, name, clientID string, scopes []stsv1alpha1.Scope, change ...func(*stsv1alpha1.TokenRequest)) types.NamespacedName {
	r := &stsv1alpha1.TokenRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace(namespace), Name: name},
		Spec: stsv1alpha1.TokenRequestSpec{
			Issuer: &stsv1alpha1.IssuerSpec{
				TokenEndpoint: commonEndpoint, ClientID: clientID,
				Credential: &stsv1alpha1.Credential{ClientSecret: &stsv1alpha1.ClientSecretCredential{
					SecretRef: stsv1alpha1.SecretKeyRef{Name: "app", Key: "client_secret"}}},
			},
			Scopes: scopes,
		},
	}
	for _, c := range change {
		c(r)
	}
	w.create(r)
	key := client.ObjectKeyFromObject(r)
	w.names = append(w.names, key)
	w.due[key] = w.time.trueTime()
	return key
}

// discovering has a request name an authority of its own instead of the endpoint.
func discovering(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer.TokenEndpoint = ""
	r.Spec.Issuer.Authority = stsv1alpha1.HTTPSURL("https://sts.example/of/" + r.Namespace + "/" + r.Name)
}

// discoveryOf is the call for the metadata of a request's own authority.
func (w *world) discoveryOf(authority string) *call {
	for _, name := range w.names {
		r := w.read(name).request
		if string(r.Spec.Issuer.Authority) == authority {
			return &call{
				metadata: true, question: w.questionOf(r), credential: w.credentialValue(name.Namespace),
				key: rateKey{name.Namespace, authority, r.Spec.Issuer.ClientID, scopeSet(plain(r.Spec.Scopes))},
			}
		}
	}
	panic("nobody asks for " + authority)
}

func plain[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

func (w *world) questionOf(r *stsv1alpha1.TokenRequest) string {
	return questionOf(r.Namespace, r.Spec.Issuer.ClientID, plain(r.Spec.Scopes), plain(r.Spec.Resources))
}

// pair is a request as the operator sees it, and its Secret, nil when there is none.
type pair struct {
	request *stsv1alpha1.TokenRequest
	secret  *corev1.Secret
}

// read returns a request and its Secret.
func (w *world) read(name types.NamespacedName) pair {
	p := pair{&stsv1alpha1.TokenRequest{}, &corev1.Secret{}}
	w.must("reading a TokenRequest", w.people.Get(w.ctx(), name, p.request))
	p.request.UID = uidOf(name)
	err := w.people.Get(w.ctx(), name, p.secret)
	if apierrors.IsNotFound(err) {
		p.secret, err = nil, nil
	}
	w.must("reading a Secret", err)
	return p
}

// next is the request that is due first.
func (w *world) next() types.NamespacedName {
	return slices.MinFunc(w.names, func(a, b types.NamespacedName) int {
		if w.due[a] != w.due[b] {
			return int(max(min(w.due[a]-w.due[b], 1), -1))
		}
		return slices.Index(w.names, a) - slices.Index(w.names, b)
	})
}

// follow reconciles the request that is due first, once it is.
func (w *world) follow() {
	name := w.next()
	w.time.pass(w.due[name] - w.time.trueTime())
	w.hear()
	w.reconcile(name)
}

// hear waits until nothing goes on by itself any more, makes those who were woken due, and decides on the calls that have
// left.
func (w *world) hear() {
	synctest.Wait()
	for _, name := range w.newlyWoken() {
		if w.random.IntN(100) < w.loses {
			w.note("a wake-up of %s is lost", name)
			continue
		}
		w.due[name] = w.time.trueTime()
	}
	w.held = slices.DeleteFunc(w.held, func(c *call) bool { return c.over })
	for _, c := range w.newCalls() {
		w.held = append(w.held, c)
		w.mu.Lock()
		_, lost := w.books.stillShut(c.key)
		w.mu.Unlock()
		if w.random.IntN(100) >= w.holds || lost {
			w.answer(c)
		}
	}
}

// newlyWoken are the requests that flights have woken, in the order of their names: flights that land in the same instant do so
// in any order.
func (w *world) newlyWoken() []types.NamespacedName {
	var names []types.NamespacedName
	for len(w.woken) > 0 {
		names = append(names, <-w.woken)
	}
	slices.SortFunc(names, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	return names
}

// newCalls are those that have left since it was last called, in an order that is the same in each run.
func (w *world) newCalls() []*call {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := slices.DeleteFunc(w.arrived, func(c *call) bool { return c.over })
	w.arrived = nil
	slices.SortStableFunc(calls, func(a, b *call) int {
		return slices.Compare([]string{a.question, a.key.endpoint}, []string{b.question, b.key.endpoint})
	})
	return calls
}

// answer gives a call its answer, some seconds after it left. A token service that has asked for patience, and whose answer
// died with the process, says so again, and doesn't take its time.
func (w *world) answer(c *call) {
	said := w.say()
	w.time.pass(w.latency())
	w.mu.Lock()
	rest, shut := w.books.stillShut(c.key)
	over := c.over
	w.mu.Unlock()
	if over { // it was given up in the meantime
		return
	}
	if shut {
		said = limited(429, rest, fmt.Sprint(int(rest.Seconds())))
	}
	c.reply <- said
	w.hear()
}

// judge ends the world when something was wrong, and tells what led to it; all of it when one seed is played by itself.
func (w *world) judge() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.violations) == 0 {
		return
	}
	told := w.diary[max(0, len(w.diary)-120):]
	if *oneSeed != 0 {
		told = w.diary
	}
	for _, line := range told {
		w.t.Log(line)
	}
	for _, v := range w.violations {
		w.t.Error(v)
	}
	w.t.FailNow()
}

// complain notes a violation. The caller holds the lock.
func (w *world) complain(format string, args ...any) {
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

// note writes into the diary. Only the world's own goroutine, or who holds the lock, may call it.
func (w *world) note(format string, args ...any) {
	at := w.time.wall.Now().Format("01-02 15:04:05.000")
	w.diary = append(w.diary, fmt.Sprintf("%-14v wall %s  %s", w.time.trueTime().Truncate(time.Millisecond), at, fmt.Sprintf(format, args...)))
}
