// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"slices"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// look is one reconcile, as it is seen from outside.
type look struct {
	before *stsv1alpha1.TokenRequest
	// covered: the Secret holds a valid token for what is asked, and it isn't due. patient: the status says that the same was
	// asked and failed, and when it will be asked again.
	covered, patient bool
	// unseen: neither status nor label tell the operator of the Secret; it finds it at its second look.
	unseen bool
	// repairs: the reconcile before couldn't see or write all it had to.
	repairs bool
	// fromTheFuture: by the clock of now, the token in the Secret is yet to be issued.
	fromTheFuture bool

	result         ctrl.Result
	err            error
	coveredAfter   bool
	reused         bool // a token from the shelf
	calls          int  // that left
	writes         []writeSort
	injected, died bool
}

// reconcile has the operator look at a request, and again at the same instant, and judges all of that. If the process dies of
// it, another one starts.
func (w *world) reconcile(name types.NamespacedName) {
	w.note("reconcile %s", name)
	l := w.look(name)
	if !w.follows(name, l) {
		return
	}
	for again := 1; l.err == nil && again <= 2 && !w.once; again++ {
		if slices.Contains(l.writes, writeStatus) {
			delete(w.told, name) // whatever it told, for less than an instant
		}
		repairs := l.injected || l.unseen || l.disputed()
		l = w.look(name)
		l.repairs = repairs
		if !w.follows(name, l) {
			return
		}
		if w.isSilent(name, l, again == 1) {
			break
		}
	}
	w.isSoon(name, l)
	if l.err == nil {
		w.remembers(name) // else the status may still be of an instant before
	}
	w.hear()
	w.judge()
}

// look reconciles once.
func (w *world) look(name types.NamespacedName) look {
	is := w.read(name)
	request := is.request
	l := look{before: request, covered: w.covered(is), patient: w.patient(request), fromTheFuture: w.fromTheFuture(is.secret), unseen: is.unseen()}
	brought := w.broughtTo(name, request)
	w.mu.Lock()
	w.looking, w.written, w.injected, w.configMapFailed = request, nil, false, false
	delete(w.forced, name)
	if isForced(request) {
		w.forced[name] = w.questionOf(request)
	}
	already := len(w.arrived)
	w.mu.Unlock()

	reused := w.process.reconciler.Shelf.Hits()
	l.result, l.err = w.process.reconciler.Reconcile(w.ctx(), request.DeepCopy())
	synctest.Wait()
	after := w.read(name)
	l.coveredAfter = w.covered(after)
	l.reused = w.process.reconciler.Shelf.Hits() > reused

	w.mu.Lock()
	defer w.mu.Unlock()
	l.calls, l.writes, l.injected, l.died = len(w.arrived)-already, w.written, w.injected, w.process.dead
	w.note("  %s: %v, %v; %d calls, wrote %v", name, l.result.RequeueAfter, l.err, l.calls, l.writes)
	for _, c := range w.arrived[already:] {
		c.asker = asking{name, request.Generation}
		w.asked[c.question] = c.asker
	}
	w.published(name, is, after, l)
	if brought != nil && l.err == nil && !l.died && !l.covered {
		brought.collected = true
		if after.secret == nil || string(after.secret.Data["access_token"]) != brought.id {
			w.complain("invariant 3: %s threw away the token that %v has brought", name, brought)
		}
	}
	return l
}

// asking is the request that had a question asked, in one of its generations.
type asking struct {
	name       types.NamespacedName
	generation int64
}

// broughtTo is a call that has brought a token to a request which has yet to collect it, or nil. Nobody collects it after five
// minutes, or when the token has ended, or the question or the credential is another one by now.
func (w *world) broughtTo(name types.NamespacedName, r *stsv1alpha1.TokenRequest) *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.landed[name]
	if c == nil || c.collected || c.process != w.process || c.asker.generation != r.Generation || c.credential != w.credentialValue(r.Namespace) {
		return nil
	}
	if c.sets != w.time.sets() || w.time.trueTime()-c.landed >= 5*time.Minute || c.outlived(w.time.wall.Now()) {
		return nil
	}
	return c
}

// follows judges what one reconcile did, and when the next is. It returns false when the process has died.
func (w *world) follows(name types.NamespacedName, l look) bool {
	if l.died {
		w.crash()
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	statuses := slices.DeleteFunc(slices.Clone(l.writes), func(s writeSort) bool { return s != writeStatus })
	switch {
	case l.err != nil && !l.injected:
		w.complain("%s: an error without cause: %v", name, l.err)
	case l.err == nil && l.result.RequeueAfter <= 0:
		w.complain("invariant 2: %s has no next step", name)
	}
	if len(statuses) > 1 {
		w.complain("invariant 7: %s: %d status writes in one reconcile", name, len(statuses))
	}
	if l.covered && l.calls > 0 {
		w.complain("invariant 4: %s has a valid token that isn't due, and asked for another", name)
	}
	if l.patient && l.calls > 0 {
		w.complain("invariant 5: %s asked again before its status.nextAttemptAt", name)
	}
	w.due[name] = w.time.trueTime() + min(l.result.RequeueAfter, resync)
	if l.err != nil {
		// What the queue of a controller does.
		w.due[name] = w.time.trueTime() + min(5*time.Millisecond<<min(w.errors[name], 20), 1000*time.Second)
		w.errors[name]++
		return true
	}
	w.errors[name] = 0
	return true
}

// resync is how often controller-runtime's cache has every object looked at in any case. It is what notices a token that
// expires because the wall clock was set forward: a queue's delays are in true time.
const resync = 10 * time.Hour

// disputed says that somebody else had written the ConfigMap: what they left there was merged into the gates.
func (l look) disputed() bool {
	return len(slices.DeleteFunc(slices.Clone(l.writes), func(s writeSort) bool { return s != writeConfigMap })) > 1
}

// isSoon judges how far away the next step is of a request that has no token.
func (w *world) isSoon(name types.NamespacedName, l look) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.err == nil && !l.coveredAfter && l.result.RequeueAfter > longestStep {
		w.complain("invariant 2: the next step of %s, which has no token, is %v away", name, l.result.RequeueAfter)
	}
}

// longestStep is the longest way to the next step of a request without a token: the longest Retry-After, a tenth of it for the
// spread, five minutes by which clocks may differ, and the second within which those of one instant are told apart.
const longestStep = time.Hour + 6*time.Minute + 5*time.Minute + time.Second

// isSilent judges a reconcile at the very instant of the one before. It may do something only when the token or the answer that
// was collected is so old that the next one is due already, and that only once.
func (w *world) isSilent(name types.NamespacedName, l look, mayAct bool) bool {
	if len(l.writes) == 0 && l.calls == 0 {
		return true
	}
	after := w.read(name).request.Status
	w.mu.Lock()
	defer w.mu.Unlock()
	next := l.before.Status.NextAttemptAt
	isDue := next == nil || !next.After(w.time.wall.Now()) || l.fromTheFuture || l.repairs
	if !isDue || !mayAct {
		w.complain("invariant 7: %s: another reconcile with nothing changed wrote %v and made %d calls; the status (-before +after):\n%s",
			name, l.writes, l.calls, cmp.Diff(l.before.Status, after))
	}
	return false
}

// covered says that a Secret holds a valid token for what a request asks for, that it isn't due, and that nobody asked for
// another.
func (w *world) covered(is pair) bool {
	r, s := is.request, is.secret
	if s == nil || r.Status.LastError != nil || isForced(r) {
		return false
	}
	if is.unseen() {
		return false
	}
	now := w.time.wall.Now()
	record := recordOf(s)
	c := w.callOf(s)
	return c != nil && c.question == w.questionOf(r) && record.alive(now) && now.Before(record.refresh) && !w.fromTheFuture(s)
}

// unseen says that nothing tells the operator of a Secret but its name: the label got lost, and the status too.
func (is pair) unseen() bool {
	return is.secret != nil && is.secret.Labels[stsv1alpha1.LabelManaged] == "" && len(is.request.Status.Conditions) == 0
}

// fromTheFuture says that a Secret's record can't be of the clock of now: nobody may wait for its instants.
func (w *world) fromTheFuture(s *corev1.Secret) bool {
	if s == nil {
		return false
	}
	const differing, horizon = 5 * time.Minute, 30 * 24 * time.Hour
	now, record := w.time.wall.Now(), recordOf(s)
	return record.issued.After(now.Add(differing)) || record.refresh.After(now.Add(horizon+differing))
}

// callOf is the call that brought the token in a Secret.
func (w *world) callOf(s *corev1.Secret) *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[string(s.Data["access_token"])]
}

// record is what a Secret says of its token.
type record struct{ issued, refresh, expires time.Time }

func recordOf(s *corev1.Secret) record {
	at := func(annotation string) time.Time {
		t, _ := time.Parse(time.RFC3339, s.Annotations[annotation])
		return t
	}
	return record{at(stsv1alpha1.AnnotationIssuedAt), at(stsv1alpha1.AnnotationRefreshAt), at(stsv1alpha1.AnnotationExpiresAt)}
}

func (r record) alive(now time.Time) bool { return r.expires.IsZero() || now.Before(r.expires) }

func isForced(r *stsv1alpha1.TokenRequest) bool {
	asked := r.Annotations[stsv1alpha1.AnnotationRefreshRequestedAt]
	return asked != "" && asked != r.Status.LastHandledRefreshAt
}

// patient says that the status tells of a failure of just what the request asks for now, and of an instant that is ahead, and
// near enough to be believed.
func (w *world) patient(r *stsv1alpha1.TokenRequest) bool {
	c := w.failureOf(r)
	next := r.Status.NextAttemptAt
	if c == nil || next == nil || isForced(r) || !meta.IsStatusConditionFalse(r.Status.Conditions, stsv1alpha1.ConditionIssued) {
		return false
	}
	now := w.time.wall.Now()
	return r.Status.ObservedGeneration == r.Generation && c.question == w.questionOf(r) && c.credential == w.credentialValue(r.Namespace) && next.After(now) && next.Time.Before(now.Add(time.Hour))
}

// failureOf is the call whose failure a status tells of.
func (w *world) failureOf(r *stsv1alpha1.TokenRequest) *call {
	if r.Status.LastError == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[r.Status.LastError.CorrelationID]
}

// telling is what conditions say of a failure.
type telling struct {
	failure, reason, token string
	generation             int64
	propagating            bool
	conditions             []metav1.Condition
}

// remembers judges how a failure is told, and how long it holds a request back.
func (w *world) remembers(name types.NamespacedName) {
	is := w.read(name)
	r := is.request
	c := w.failureOf(r)
	issued := meta.FindStatusCondition(r.Status.Conditions, stsv1alpha1.ConditionIssued)
	if c == nil || issued == nil || issued.Status != metav1.ConditionFalse || w.isBehind(is) {
		delete(w.told, name)
		return
	}
	now := telling{c.answer.name, issued.Reason, w.tokenOf(is), r.Status.ObservedGeneration, c.answer.propagating, w.toldOf(r)}
	before := w.told[name]
	w.told[name] = now
	if before.failure == now.failure && before.reason == now.reason && before.token == now.token && before.generation == now.generation {
		if diff := cmp.Diff(before.stable(), now.stable()); diff != "" {
			w.mu.Lock()
			w.complain("invariant 7: %s: the same failure, %s, is told otherwise (-before +after):\n%s", name, now.failure, diff)
			w.mu.Unlock()
		}
	}
	w.heldBack(name, is, c)
}

// isBehind says that a call is under way for a token that has expired meanwhile: its answer ends with the write that says so.
func (w *world) isBehind(is pair) bool {
	return w.tokenOf(is) == "expired" && meta.IsStatusConditionTrue(is.request.Status.Conditions, stsv1alpha1.ConditionReady)
}

// tokenOf says how the token in a Secret stands to what is asked for.
func (w *world) tokenOf(is pair) string {
	if is.secret == nil {
		return "none"
	}
	switch c := w.callOf(is.secret); {
	case c == nil || c.question != w.questionOf(is.request):
		return "of another question"
	case recordOf(is.secret).alive(w.time.wall.Now()):
		return "valid"
	default:
		return "expired"
	}
}

// toldOf are the conditions, less what may change once while a failure lasts: that a token draws near its end.
func (w *world) toldOf(r *stsv1alpha1.TokenRequest) []metav1.Condition {
	conditions := slices.Clone(r.Status.Conditions)
	for i, c := range conditions {
		if c.Type == stsv1alpha1.ConditionReady && c.Status == metav1.ConditionTrue {
			conditions[i].Message = ""
		}
	}
	return conditions
}

// stable leaves out kstatus's conditions for what may become permanent while it lasts.
func (t telling) stable() []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(t.conditions), func(c metav1.Condition) bool {
		return t.propagating && (c.Type == stsv1alpha1.ConditionReconciling || c.Type == stsv1alpha1.ConditionStalled)
	})
}

// heldBack judges for how long a failure is the last word, in true time. Whatever somebody does to the clock, that is no longer
// than the gate itself, an hour, and the spread behind it.
func (w *world) heldBack(name types.NamespacedName, is pair, c *call) {
	underWay := slices.ContainsFunc(w.held, func(h *call) bool { return !h.over && h.key.namespace == name.Namespace })
	if underWay || w.pendingCalls() || w.covered(is) {
		return
	}
	length := c.answer.wait
	switch c.answer.remember {
	case anOutage:
		length = max(length, 5*time.Minute)
	case aRefusal:
		length = max(length, 10*time.Minute)
	case aRateLimit, nothing:
	}
	since := max(c.landed, w.time.setBack())
	if held := w.time.trueTime() - since; held > length+longestStep+time.Minute {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.complain("invariant 5: %s is held back for %v by %v", name, held, c)
	}
}

func (w *world) pendingCalls() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.arrived) > 0
}
