// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/internal/sts"
)

const (
	// mintedLifetime is the least that Kubernetes gives, in seconds: a token serves one call.
	mintedLifetime = int64(600)
	// maxVerdicts bounds the audiences that a Minter has an opinion of.
	maxVerdicts = 256
)

// MinterClient is as much of a Kubernetes client as a Minter needs: it creates token requests of
// ServiceAccounts and token reviews.
type MinterClient interface {
	Create(ctx context.Context, object client.Object, options ...client.CreateOption) error
	SubResource(subResource string) client.SubResourceClient
}

// Minter makes tokens of ServiceAccounts. It keeps none, and is safe for concurrent use. Use
// [NewMinter] to make one.
type Minter struct {
	client MinterClient
	now    func() time.Time

	mu     sync.Mutex
	issuer string
	// opens says of an audience whether its tokens open the API server.
	opens map[string]bool
}

// NewMinter returns a minter.
func NewMinter(c MinterClient, now func() time.Time) *Minter {
	return &Minter{client: c, now: now, opens: map[string]bool{}}
}

// Mint returns the credential with the tokens of the service accounts that it needs, each made for this
// call; it returns the credential itself when it needs none. One of the three results is set; the error
// is the Kubernetes API's alone.
func (c *Credential) Mint(ctx context.Context, m *Minter) (*Credential, *Problem, error) {
	if len(c.mintings) == 0 {
		return c, nil, nil
	}
	minted := *c
	minted.Hidden = slices.Clone(c.Hidden)
	for _, next := range c.mintings {
		token, problem, err := m.mint(ctx, next.of)
		if problem != nil || err != nil {
			return nil, problem, err
		}
		*next.into(&minted) = token
		minted.Hidden = append(minted.Hidden, token)
	}
	return &minted, nil, nil
}

// mint makes one token, which may leave this cluster.
func (m *Minter) mint(ctx context.Context, a account) (sts.Sensitive, *Problem, error) {
	if opens, known := m.verdict(a.audience); known && opens {
		return "", opensAPIServer(a), nil
	}
	answer, problem, err := m.request(ctx, a)
	if problem == nil && err == nil {
		problem = m.check(a, answer)
	}
	if problem != nil || err != nil {
		return "", problem, err
	}
	token := answer.Status.Token
	opens, problem, err := m.try(ctx, a.audience, token)
	switch {
	case problem != nil || err != nil:
		return "", problem, err
	case opens:
		return "", opensAPIServer(a), nil
	}
	if claims, ok := readClaims(token); ok {
		m.saw(claims.text("iss"))
	}
	return sts.Sensitive(token), nil, nil
}

// request asks Kubernetes for a token of the ServiceAccount that was resolved, and no other of its name.
func (m *Minter) request(ctx context.Context, a account) (*authenticationv1.TokenRequest, *Problem, error) {
	seconds := mintedLifetime
	asked := &authenticationv1.TokenRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name, UID: a.uid},
		Spec:       authenticationv1.TokenRequestSpec{Audiences: []string{a.audience}, ExpirationSeconds: &seconds},
	}
	of := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}}
	err := m.client.SubResource("token").Create(ctx, of, asked)
	switch {
	case err == nil:
		return asked, nil, nil
	case apierrors.IsNotFound(err):
		return nil, missing("ServiceAccount", a.NamespacedName), nil
	case apierrors.IsConflict(err):
		return nil, replaced(a), nil
	case apierrors.IsForbidden(err):
		return nil, forbidden("The operator may not make tokens of %s. Grant its own service account the verb create on serviceaccounts/token in the namespace %s.", a, a.Namespace), nil
	case apierrors.IsInvalid(err):
		// Nothing in the request can be wrong by itself, so this is an admission policy, config/policy's own
		// most likely.
		return nil, forbidden("An admission policy refuses tokens of %s for the audience %s. If an administrator agrees that they go there, add it to the ConfigMap tokenrequest-audiences in the operator's namespace.", a, a.audience), nil
	}
	return nil, nil, fmt.Errorf("making a token of %s: %w", a, err)
}

// check refuses an answer that isn't what was asked for. An admission webhook may change a token
// request, and an API server older than Kubernetes 1.34 doesn't hold the UID against the account's.
func (m *Minter) check(a account, answer *authenticationv1.TokenRequest) *Problem {
	if answer.Status.Token == "" || !answer.Status.ExpirationTimestamp.After(m.now()) {
		return invalid("The API server's token of %s has no time left, so it isn't used. Compare the clock of the API server with that of the operator.", a)
	}
	claims, readable := readClaims(answer.Status.Token)
	only := []string{a.audience}
	switch {
	case !slices.Equal(answer.Spec.Audiences, only), readable && !slices.Equal(claims.audiences(), only):
		return forbidden("A token of %s was asked for with the audience %s alone and came with others, so it isn't used. Find the admission webhook that changes token requests.", a, a.audience)
	case readable && claims.serviceAccountUID() != "" && claims.serviceAccountUID() != string(a.uid):
		return replaced(a)
	}
	return nil
}

// replaced says that the ServiceAccount which consented is gone, and another has its name.
func replaced(a account) *Problem {
	return forbidden("%s was replaced while a token of it was made, so that isn't used. The request looks at the new one by itself.", a)
}

func opensAPIServer(a account) *Problem {
	return forbidden("The API server takes tokens for the audience %s too, so none of %s is sent anywhere. Name an audience that is the STS's alone in %s.", a.audience, a, a.field)
}

// try asks the API server whether it would let a token for this audience in. What it said of an audience
// is kept: that doesn't depend on the token.
func (m *Minter) try(ctx context.Context, audience, token string) (bool, *Problem, error) {
	if opens, known := m.verdict(audience); known {
		return opens, nil, nil
	}
	opens, problem, err := m.review(ctx, token)
	if problem != nil || err != nil {
		return false, problem, err
	}
	sure := opens
	if !opens {
		// A token that is no good at all would be refused likewise. One that is good for its audience
		// was refused for its audience, and so will the next be.
		if sure, problem, err = m.review(ctx, token, audience); problem != nil || err != nil {
			return false, problem, err
		}
	}
	if sure {
		m.keep(audience, opens)
	}
	return opens, nil, nil
}

// review asks whether a token is good for one of the audiences; none means the API server's own.
func (m *Minter) review(ctx context.Context, token string, audiences ...string) (bool, *Problem, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences}}
	err := m.client.Create(ctx, review)
	switch {
	case err == nil:
		// An answer that names no audience is about the API server's own (TokenReviewStatus.audiences).
		good := review.Status.Authenticated && (len(audiences) == 0 || slices.Equal(review.Status.Audiences, audiences))
		return good, nil, nil
	case apierrors.IsForbidden(err):
		return false, forbidden("The operator may not ask whether a service account's token opens the API server, and sends none unasked. Grant its own service account the verb create on tokenreviews.authentication.k8s.io."), nil
	}
	return false, nil, fmt.Errorf("reviewing a service account's token: %w", err)
}

func (m *Minter) verdict(audience string) (opens, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	opens, known = m.opens[audience]
	return opens, known
}

func (m *Minter) keep(audience string, opens bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.opens) >= maxVerdicts {
		clear(m.opens)
	}
	m.opens[audience] = opens
}

// saw remembers who issues the tokens of this cluster.
func (m *Minter) saw(issuer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.issuer = issuer
}

// issuerSeen is empty until a token was minted.
func (m *Minter) issuerSeen() string {
	if m == nil {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.issuer
}
