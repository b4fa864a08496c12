// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/flight"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/schedule"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
	"tokenrequest.dev/operator/internal/throttle"
)

// phase is one step of a reconcile. It adds to the attempt, and either goes on or ends with an
// outcome. Its error is the Kubernetes API's alone.
type phase func(context.Context, *attempt) (outcome, error)

// run takes the phases in order until one has an outcome.
func (r *Reconciler) run(ctx context.Context, a *attempt) (outcome, error) {
	for _, next := range []phase{
		r.choose, r.observe, r.refuse, r.check, r.decide, r.contest, r.move, r.resolve, r.recall, r.collect, r.stop, r.decide, r.reuse, r.admit, r.ask,
	} {
		if o, err := next(ctx, a); err != nil || o.kind != goOn {
			return o, err
		}
	}
	return outcome{}, fmt.Errorf("reconciling TokenRequest %s: the last phase had no outcome", a.key())
}

// observe looks at the Secret under the wanted name. The cache holds what carries our label; only a
// request that was looked at before asks the API server itself about a Secret that isn't there,
// because only then can it be a stranger's, or one of ours that lost its label.
func (r *Reconciler) observe(ctx context.Context, a *attempt) (outcome, error) {
	err := r.look(ctx, r.Client, a)
	if err == nil && a.holding.State == secret.Free && a.looked() {
		err = r.look(ctx, r.Live, a)
	}
	return outcome{}, err
}

// look takes in the Secret under the wanted name, as a reader sees it.
func (r *Reconciler) look(ctx context.Context, reader client.Reader, a *attempt) error {
	holding, err := r.holdingOf(ctx, reader, a.request, a.secretKey())
	if err == nil {
		a.hold(holding)
	}
	return err
}

// holdingOf takes in a Secret of a request's, as a reader sees it.
func (r *Reconciler) holdingOf(ctx context.Context, reader client.Reader, request *stsv1alpha1.TokenRequest, key types.NamespacedName) (secret.Holding, error) {
	s := &corev1.Secret{}
	err := reader.Get(ctx, key, s)
	switch {
	case apierrors.IsNotFound(err):
		return secret.Hold(request, nil), nil
	case err != nil:
		return secret.Holding{}, fmt.Errorf("reading Secret %s: %w", key, err)
	default:
		return secret.Hold(request, s), nil
	}
}

// decide asks the schedule whether a token is due. It is asked twice: a retry is only waited for when
// it would ask the very same, which is known once the credential was read. The token that is there is
// dressed first, whether or not another one is due: that may be long in coming.
func (r *Reconciler) decide(ctx context.Context, a *attempt) (outcome, error) {
	a.decision = schedule.Decide(a.facts(), a.now)
	if a.decision.Why == schedule.WhySuspended {
		if a.credential == nil && r.Flights.Withdraw(a.key()) {
			return outcome{}, nil // the answer to a call that has left counts: it may have cost a refresh token
		}
		return outcome{kind: suspended, retry: a.decision.At}, nil
	}
	dressed, err := r.redress(ctx, a)
	switch {
	case err != nil || dressed.kind == blocked || dressed.kind == gone:
		return dressed, err
	case a.decision.Due:
		return outcome{}, nil
	case a.decision.Why == schedule.WhyBackoff:
		return outcome{kind: waiting}, nil
	case dressed.kind == settled:
		return dressed, nil
	}
	return outcome{kind: settled, retry: a.decision.At}, nil
}

// check refuses what the API server couldn't see is wrong, and a Secret that can't be written. It does
// so at once, not when the next token is due.
func (r *Reconciler) check(_ context.Context, a *attempt) (outcome, error) {
	shape, err := secret.NewShape(a.request)
	if err != nil {
		return misshapen(stsv1alpha1.ReasonTemplateInvalid, err, "Correct it; config/samples/shapes has templates that work."), nil
	}
	a.shape = shape
	claims, ok := oautherr.DecodeClaims(string(a.request.Spec.Claims))
	if !ok {
		return outcome{kind: blocked, reason: stsv1alpha1.ReasonInvalidClaims, message: "spec.claims is neither a JSON object nor the base64 form of one. Copy it unchanged from status.lastError.claims or from the WWW-Authenticate header."}, nil
	}
	a.claims = claims
	return a.usable(), nil
}

// contest makes sure, before a token is asked for, that there is a place where it can go, and that
// nobody fights over that.
func (r *Reconciler) contest(ctx context.Context, a *attempt) (outcome, error) {
	if ends, err := r.namespaceEnds(ctx, a); err != nil || ends {
		return outcome{kind: gone}, err
	}
	if at, wait := r.Repairs.hold(a, isReissue); wait {
		return foughtOver(a, at), nil
	}
	if a.holding.State != secret.Free {
		return outcome{}, nil
	}
	rival, err := r.rival(ctx, a.request)
	if err != nil || rival == "" {
		return outcome{}, err
	}
	return conflict(secret.HeldByRequest(a.request.SecretName(), rival)), nil
}

// foughtOver is the outcome while a repair waits.
func foughtOver(a *attempt, until time.Time) outcome {
	return outcome{kind: blocked, reason: stsv1alpha1.ReasonSecretConflict, retry: until, message: fmt.Sprintf(
		"Secret %s is deleted or changed again and again. Find out by whom: kubectl get secret %s -o yaml --show-managed-fields; it is repaired at ever longer intervals.",
		a.request.SecretName(), a.request.SecretName())}
}

func conflict(message string) outcome {
	return outcome{kind: blocked, reason: stsv1alpha1.ReasonSecretConflict, message: message}
}

// resolve reads the credential, whose version says what this attempt is.
func (r *Reconciler) resolve(ctx context.Context, a *attempt) (outcome, error) {
	c, problem, err := r.Credentials.Resolve(ctx, a.site, a.issuer, a.request.Spec.Grant)
	switch {
	case err != nil:
		return outcome{}, err
	case problem != nil:
		return blockedBy(problem), nil
	}
	a.credential = c
	a.assertion = c.FederatedAssertion(r.Minter)
	return outcome{}, nil
}

// admit asks the gates, before anything is signed or sent. What can be told without a call about
// the STS's address is told here.
func (r *Reconciler) admit(_ context.Context, a *attempt) (outcome, error) {
	if refusal := r.locate(a); refusal != nil {
		return *refusal, nil
	}
	if v := r.Gates.Admit(a.gate(), a.forced() != ""); !v.Open {
		return remembered(v), nil
	}
	return outcome{}, nil
}

// ask has the STS asked, outside the workers. The answer wakes the request, and is collected then.
func (r *Reconciler) ask(ctx context.Context, a *attempt) (outcome, error) {
	var token *sts.Token
	_, state := r.Flights.Ask(flight.Ask[string, types.NamespacedName, Answer]{
		Key:     a.flight(),
		Domain:  a.domain(),
		Service: host(declaredBy(a.issuer)),
		Tenant:  a.request.Namespace,
		Waiter:  a.key(),
		Needed:  a.needed(),
		Timeout: a.flightTimeout(),
		Spared: func() bool {
			var there bool
			token, there = r.shelved(a)
			return there
		},
		Do: r.call(a),
	})
	if state == flight.Spared {
		return r.share(ctx, a, token)
	}
	return a.asking(), nil
}

func remembered(v throttle.Verdict[*oautherr.Error]) outcome {
	return outcome{kind: failed, err: v.Remembered, since: v.Since, until: v.Until, attempts: v.Attempts}
}

// collect takes in the answer to what this very attempt has asked. It comes before the gates, since
// an answer that shut one is still this request's own, and before a retry is waited for, since a
// token that has come is not asked for again.
func (r *Reconciler) collect(ctx context.Context, a *attempt) (outcome, error) {
	if !a.answered {
		return outcome{}, nil
	}
	answer := a.answer
	if a.obsolete(answer) {
		r.Flights.Release(a.key())
		return outcome{}, nil
	}
	o, err := r.takeIn(ctx, a, answer)
	if answer.err != nil || err == nil && (answer.token == nil || o.kind == issued || o.interaction) {
		// Not before: a token whose Secret couldn't be written, or was refused, is not asked for
		// twice (external-secrets#162).
		r.Flights.Release(a.key())
	}
	return o, err
}

// obsolete says that an answer is of no use any more: its token has ended while it couldn't be written, or
// somebody has deleted the store of the sign-in that a poll was about, to begin anew.
func (a *attempt) obsolete(answer Answer) bool {
	if token := answer.token; token != nil {
		return token.ExpiresAt.After(token.IssuedAt) && !a.now.Before(token.ExpiresAt)
	}
	return answer.polled && a.chain.Device == nil
}

// takeIn does what an answer asks for.
func (r *Reconciler) takeIn(ctx context.Context, a *attempt, answer Answer) (outcome, error) {
	switch {
	case answer.err != nil:
		return outcome{}, answer.err
	case answer.device != nil:
		return r.invite(ctx, a, answer.device)
	case answer.token == nil:
		if o, err := r.settleRefusal(ctx, a, answer); err != nil || o.kind != goOn {
			return o, err
		}
		return r.refusal(a, answer), nil
	}
	if o, err := r.advance(ctx, a, answer.token); err != nil || o.kind != goOn {
		return o, err
	}
	return r.publish(ctx, a, answer.token)
}

// publish writes the token into its Secret: one write, and no read unless somebody was faster.
func (r *Reconciler) publish(ctx context.Context, a *attempt, token *sts.Token) (outcome, error) {
	record := a.record(token)
	body, err := a.shape.Body(token.AccessToken, record)
	if err != nil {
		return unwritable(err), nil
	}
	o, err := r.apply(ctx, a, body, record)
	if err != nil || o.kind != goOn {
		return o, err
	}
	r.Repairs.note(a, isReissue)
	log.FromContext(ctx).Info("Issued token", "why", a.decision.Why, "secret", a.request.SecretName(), "correlationID", token.CorrelationID)
	return outcome{kind: issued, called: true}, nil
}

// redress writes the token that is there once more, in the keys and with the labels, annotations and
// owner that the spec wants: that costs no call, and is done during an outage too.
func (r *Reconciler) redress(ctx context.Context, a *attempt) (outcome, error) {
	if !a.matches() || !a.fits() || a.content.Dressed && a.content.Shaped {
		return outcome{}, nil
	}
	if o := r.holdBack(a); o.kind != goOn {
		return o, nil
	}
	if a.holding.Stripped() {
		// The cache has no tokens.
		if err := r.look(ctx, r.Live, a); err != nil {
			return outcome{}, err
		}
		return r.redress(ctx, a)
	}
	body, err := a.body()
	if err != nil {
		return unwritable(err), nil
	}
	o, err := r.apply(ctx, a, body, a.content.Record)
	if err != nil || o.kind != goOn {
		return o, err
	}
	r.Repairs.note(a, isRedress)
	return outcome{kind: settled}, nil
}

// holdBack has a repair wait that was made too often. It is no failure as long as pods read what they are to.
func (r *Reconciler) holdBack(a *attempt) outcome {
	switch at, wait := r.Repairs.hold(a, isRedress); {
	case !wait:
		return outcome{}
	case a.content.Shaped:
		return outcome{kind: settled, retry: at}
	default:
		return foughtOver(a, at)
	}
}

// body is what the keys are to hold of the token that is in the Secret.
func (a *attempt) body() (secret.Body, error) {
	now := a.holding.Body()
	if a.content.Shaped {
		return now, nil
	}
	return a.shape.Body(now.Token(), a.content.Record)
}

// misshapen says what is wrong with a template, and what a person does about it.
func misshapen(reason string, err error, remedy string) outcome {
	return outcome{kind: blocked, reason: reason, message: fmt.Sprintf("In spec.secret.data %s. %s", err, remedy)}
}

// unwritable is a token that has come and that a template can't write.
func unwritable(err error) outcome {
	return misshapen(stsv1alpha1.ReasonTemplateFailed, err,
		"Write the token as it is, {{ .AccessToken }}, in a key of its own, and have who reads it make the file.")
}

// apply writes the Secret by server-side apply, with a precondition that protects strangers. When
// somebody was faster, the garbage collector for one, it looks once who that was.
func (r *Reconciler) apply(ctx context.Context, a *attempt, body secret.Body, record secret.Record) (outcome, error) {
	err := r.applyOnce(ctx, a, body, record)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		if err := r.look(ctx, r.Live, a); err != nil {
			return outcome{}, err
		}
		if o := a.usable(); o.kind != goOn {
			return o, nil
		}
		err = r.applyOnce(ctx, a, body, record)
	}
	switch {
	case err == nil:
		a.content = secret.Content{Record: record, Intact: true, Shaped: true, Dressed: true}
		return outcome{}, nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return outcome{kind: gone}, nil
	case refuses(err):
		return outcome{kind: blocked, reason: stsv1alpha1.ReasonSecretInvalid, message: fmt.Sprintf(
			"The API server refuses Secret %s: %s. Correct spec.secret, or have what refuses it allow it.", a.request.SecretName(), refusedFields(err))}, nil
	}
	return outcome{}, fmt.Errorf("applying Secret %s: %w", a.secretKey(), err)
}

// usable says why the Secret can't be written, or nothing.
func (a *attempt) usable() outcome {
	if a.holding.State == secret.Foreign {
		return conflict(a.holding.Refusal(a.request))
	}
	if message := a.holding.Unusable(a.request); message != "" {
		return outcome{kind: blocked, reason: stsv1alpha1.ReasonSecretInvalid, message: message}
	}
	return outcome{}
}

func (r *Reconciler) applyOnce(ctx context.Context, a *attempt, body secret.Body, record secret.Record) error {
	if a.holding.State == secret.Inherited {
		if err := r.inherit(ctx, a.request, a.holding.Secret); err != nil {
			return err
		}
	}
	text, err := json.Marshal(secret.Render(a.request, a.holding, body, record))
	if err != nil {
		return err
	}
	written := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: a.request.Namespace, Name: a.request.SecretName()}}
	// An apply of unknown fields is refused all the same. What is ignored is whether one stands there twice, for which
	// the API server would parse the whole again: a seventh of what the write costs it.
	return r.Client.Patch(ctx, written, client.RawPatch(types.ApplyPatchType, text), client.FieldOwner(stsv1alpha1.FieldManager),
		client.ForceOwnership, client.FieldValidation(metav1.FieldValidationIgnore))
}

// inherit puts this request into the dead one's place as the Secret's owner. Server-side apply alone
// can't when another wrote that, a backup tool for one: Kubernetes allows a single controller. One
// patch does both, since a Secret without any controller would be a stranger's after a crash. It sets our
// label too, which somebody may have taken away: config/policy lets no write of ours pass without.
func (r *Reconciler) inherit(ctx context.Context, request *stsv1alpha1.TokenRequest, s *corev1.Secret) error {
	dead := metav1.GetControllerOf(s).UID
	after := s.DeepCopy()
	metav1.SetMetaDataLabel(&after.ObjectMeta, stsv1alpha1.LabelManaged, stsv1alpha1.LabelManagedValue)
	for i := range after.OwnerReferences {
		if after.OwnerReferences[i].UID == dead {
			after.OwnerReferences[i] = secret.Owner(request)
		}
	}
	return r.Client.Patch(ctx, after, client.MergeFromWithOptions(s, client.MergeFromWithOptimisticLock{}), client.FieldOwner(stsv1alpha1.FieldManager))
}
