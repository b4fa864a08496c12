// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

const clusterIssuer = "https://oidc.example.com/cluster"

// mint is an API server that makes tokens and reviews them. Its own audience is "inside".
type mint struct {
	client.SubResourceClient // for what nobody calls

	// change alters the answer to a token request.
	change func(*authenticationv1.TokenRequest)
	// dead has every review refuse the token, whatever it is for.
	dead bool
	// mintErr, reviewErr and audienceErr fail a token request, a review and one that names audiences.
	mintErr, reviewErr, audienceErr error

	mu      sync.Mutex
	minted  []string
	reviews []string
	asked   []authenticationv1.TokenRequest
}

func (m *mint) SubResource(name string) client.SubResourceClient {
	if name != "token" {
		panic("the subresource is " + name)
	}
	return m.SubResourceClient
}

// tokens is the subresource.
type tokens struct {
	client.SubResourceClient
	*mint
}

func newMint(changes ...func(*mint)) *mint {
	m := &mint{}
	m.SubResourceClient = tokens{mint: m}
	for _, change := range changes {
		change(m)
	}
	return m
}

// Create of the subresource makes a token.
func (m tokens) Create(_ context.Context, of, request client.Object, _ ...client.SubResourceCreateOption) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := request.(*authenticationv1.TokenRequest)
	m.asked = append(m.asked, *asked.DeepCopy())
	if m.mintErr != nil {
		return m.mintErr
	}
	asked.Status.ExpirationTimestamp = metav1.NewTime(noon.Add(10 * time.Minute))
	asked.Status.Token = tokenOf(of.GetNamespace(), of.GetName(), asked.UID, len(m.minted), asked.Spec.Audiences...)
	if m.change != nil {
		m.change(asked)
	}
	m.minted = append(m.minted, asked.Status.Token)
	return nil
}

func tokenOf(namespace, name string, uid types.UID, serial int, audiences ...string) string {
	return jwt(fmt.Sprintf(`{"iss":%q,"sub":"system:serviceaccount:%s:%s","aud":["%s"],"jti":"%d","kubernetes.io":{"namespace":%q,"serviceaccount":{"name":%q,"uid":%q}}}`,
		clusterIssuer, namespace, name, strings.Join(audiences, `","`), serial, namespace, name, uid))
}

// Create reviews a token.
func (m *mint) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	review := o.(*authenticationv1.TokenReview)
	m.reviews = append(m.reviews, strings.Join(review.Spec.Audiences, " "))
	if m.reviewErr != nil {
		return m.reviewErr
	}
	wanted := review.Spec.Audiences
	if len(wanted) > 0 && m.audienceErr != nil {
		return m.audienceErr
	}
	if len(wanted) == 0 {
		wanted = []string{"inside"}
	}
	audience := m.asked[len(m.asked)-1].Spec.Audiences[0]
	if m.dead || !slices.Contains(m.minted, review.Spec.Token) || !slices.Contains(wanted, audience) {
		review.Status.Error = "invalid bearer token"
		return nil
	}
	review.Status.Authenticated = true
	if len(review.Spec.Audiences) > 0 {
		review.Status.Audiences = []string{audience}
	}
	return nil
}

func newMinter(m *mint) *credential.Minter {
	return credential.NewMinter(m, func() time.Time { return noon })
}

// federated is a credential of the ServiceAccount "graph".
func federated(t *testing.T, audience string) *credential.Credential {
	t.Helper()
	c := &cluster{objects: []client.Object{serviceAccount(audience)}}
	return resolve(t, c, newIssuer(withCredential(federatedFor(audience))))
}

func TestMintFillsInWhatServiceAccountsVouchFor(t *testing.T) {
	actor := ofAccount("https://sts.example.com")
	type places struct{ Client, Assertion, Subject, Actor string }
	const graph = "uid-of-graph"
	tests := map[string]struct {
		issuer *stsv1alpha1.IssuerSpec
		grant  *stsv1alpha1.Grant
		want   places
	}{
		"a client's assertion":              {newIssuer(withCredential(federatedFor(""))), nil, places{Client: tokenOf(namespace, "graph", graph, 0, entra)}},
		"an assertion on behalf of":         {newIssuer(), onBehalfOf(ofAccount(entra)), places{Assertion: tokenOf(namespace, "graph", graph, 0, entra)}},
		"a bearer's assertion":              {newIssuer(withoutCredential), jwtBearer(ofAccount(entra)), places{Assertion: tokenOf(namespace, "graph", graph, 0, entra)}},
		"a subject's token":                 {newIssuer(), exchange(ofAccount(entra), nil), places{Subject: tokenOf(namespace, "graph", graph, 0, entra)}},
		"an actor's beside a Secret's":      {newIssuer(), exchange(ofSecret("assertion"), &actor), places{Subject: grantCanary, Actor: tokenOf(namespace, "graph", graph, 0, "https://sts.example.com")}},
		"all that a request can have of it": {newIssuer(withCredential(federatedFor(""))), exchange(ofAccount(entra), &actor), places{Client: tokenOf(namespace, "graph", graph, 0, entra), Subject: tokenOf(namespace, "graph", graph, 1, entra), Actor: tokenOf(namespace, "graph", graph, 2, "https://sts.example.com")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			resolved := resolveGrant(t, everything(), test.issuer, test.grant)
			hidden := len(resolved.Hidden)
			m := newMint()
			got, problem, err := resolved.Mint(t.Context(), newMinter(m))
			if problem != nil || err != nil {
				t.Fatalf("Mint = %v, %v; want a credential", problem, err)
			}
			filled := places{got.Assertion.Reveal(), got.Grant.Assertion.Reveal(), got.Grant.SubjectToken.Reveal(), got.Grant.ActorToken.Reveal()}
			if diff := cmp.Diff(test.want, filled); diff != "" {
				t.Errorf("what was minted (-want +got):\n%s", diff)
			}
			if resolved.Assertion != "" || resolved.Grant.Assertion != "" || len(resolved.Hidden) != hidden {
				t.Errorf("Mint changed the credential that it was asked to copy")
			}
			for _, token := range m.minted {
				if !slices.Contains(got.Hidden, sts.Sensitive(token)) {
					t.Errorf("a token that was minted isn't among the hidden values")
				}
				if shown := fmt.Sprintf("%v %+v %#v", got, got, *got); strings.Contains(shown, token) {
					t.Errorf("a token is shown: %s", shown)
				}
			}
			for _, asked := range m.asked {
				if *asked.Spec.ExpirationSeconds != 600 || len(asked.Spec.Audiences) != 1 || asked.Spec.BoundObjectRef != nil ||
					asked.Name != "graph" || asked.Namespace != namespace || asked.UID != "uid-of-graph" {
					t.Errorf("asked was for %+v, want one audience, 600 seconds and the account's UID", asked)
				}
			}
		})
	}
}

func TestMintLeavesACredentialAloneThatNeedsNoToken(t *testing.T) {
	resolved := resolveGrant(t, everything(), newIssuer(), onBehalfOf(ofSecret("assertion")))
	if got, problem, err := resolved.Mint(t.Context(), nil); got != resolved || problem != nil || err != nil {
		t.Errorf("Mint = %v, %v, %v; want the credential itself", got, problem, err)
	}
}

func TestEveryCallHasATokenOfItsOwn(t *testing.T) {
	m := newMint()
	minter, resolved := newMinter(m), federated(t, entra)
	for range 3 {
		if _, problem, err := resolved.Mint(t.Context(), minter); problem != nil || err != nil {
			t.Fatalf("Mint = %v, %v; want a credential", problem, err)
		}
	}
	if len(m.minted) != 3 || m.minted[0] == m.minted[1] {
		t.Errorf("%d tokens were made, want 3 different ones", len(m.minted))
	}
	// One without audiences, and one which shows that the token was good.
	want(t, "reviews", []string{"", entra}, m.reviews)
}

func TestATokenIsNotUsedThatIsNotWhatWasAskedFor(t *testing.T) {
	const notAllowed = stsv1alpha1.ReasonCredentialNotAllowed
	others := credential.Problem{Reason: notAllowed, Message: "A token of ServiceAccount payments/graph was asked for with the audience api://AzureADTokenExchange alone and came with others, so it isn't used. Find the admission webhook that changes token requests."}
	stale := credential.Problem{Reason: stsv1alpha1.ReasonCredentialInvalid, Message: "The API server's token of ServiceAccount payments/graph has no time left, so it isn't used. Compare the clock of the API server with that of the operator."}
	another := credential.Problem{Reason: notAllowed, Message: "ServiceAccount payments/graph was replaced while a token of it was made, so that isn't used. The request looks at the new one by itself."}
	tests := map[string]struct {
		change func(*authenticationv1.TokenRequest)
		want   credential.Problem
	}{
		"one for more audiences":   {func(r *authenticationv1.TokenRequest) { r.Spec.Audiences = []string{entra, "b"} }, others},
		"one for another audience": {func(r *authenticationv1.TokenRequest) { r.Spec.Audiences = []string{"b"} }, others},
		"one that says more audiences": {func(r *authenticationv1.TokenRequest) {
			r.Status.Token = tokenOf(namespace, "graph", r.UID, 0, entra, "b")
		}, others},
		"one that says no audience": {func(r *authenticationv1.TokenRequest) { r.Status.Token = jwt(`{"iss":"a"}`) }, others},
		"none":                      {func(r *authenticationv1.TokenRequest) { r.Status.Token = "" }, stale},
		"one that has just expired": {func(r *authenticationv1.TokenRequest) { r.Status.ExpirationTimestamp = metav1.NewTime(noon) }, stale},
		"one that says no expiry":   {func(r *authenticationv1.TokenRequest) { r.Status.ExpirationTimestamp = metav1.Time{} }, stale},
		"one of another ServiceAccount": {func(r *authenticationv1.TokenRequest) {
			r.Status.Token = tokenOf(namespace, "graph", "made-anew", 0, entra)
		}, another},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMint(func(m *mint) { m.change = test.change })
			wantNoToken(t, m, newMinter(m), federated(t, entra), test.want)
			if m.reviews != nil {
				t.Errorf("reviewed was %q, want nothing", m.reviews)
			}
		})
	}
	for name, change := range map[string]func(*authenticationv1.TokenRequest){
		"an audience that isn't in a list": func(r *authenticationv1.TokenRequest) { r.Status.Token = jwt(fmt.Sprintf(`{"aud":%q}`, entra)) },
		"a token in no form that we know":  func(r *authenticationv1.TokenRequest) { r.Status.Token = "canary" },
	} {
		t.Run(name+" is used", func(t *testing.T) {
			m := newMint(func(m *mint) { m.change = change })
			got, problem, err := federated(t, entra).Mint(t.Context(), newMinter(m))
			if problem != nil || err != nil || got.Assertion.Reveal() != m.minted[0] {
				t.Errorf("Mint = %v, %v, %v; want a credential", got, problem, err)
			}
		})
	}
}

// wantNoToken wants a problem which shows no token.
func wantNoToken(t *testing.T, m *mint, minter *credential.Minter, c *credential.Credential, want credential.Problem) {
	t.Helper()
	got, problem, err := c.Mint(t.Context(), minter)
	if got != nil || err != nil {
		t.Errorf("Mint = %v, %v; want a problem alone", got, err)
	}
	if diff := cmp.Diff(&want, problem); diff != "" {
		t.Errorf("the problem (-want +got):\n%s", diff)
	}
	for _, token := range m.minted {
		if problem != nil && token != "" && strings.Contains(problem.Message, token) {
			t.Errorf("the problem shows the token")
		}
	}
}

// --api-audiences may name anything; only the API server knows.
func TestATokenThatWouldOpenTheAPIServerIsNotUsed(t *testing.T) {
	m := newMint()
	minter := newMinter(m)
	refused := credential.Problem{Reason: stsv1alpha1.ReasonCredentialNotAllowed, Message: "The API server takes tokens for the audience inside too, so none of ServiceAccount payments/graph is sent anywhere. Name an audience that is the STS's alone in spec.issuer.credential.federated.audience."}
	for range 2 {
		wantNoToken(t, m, minter, federated(t, "inside"), refused)
	}
	if len(m.minted) != 1 || len(m.reviews) != 1 {
		t.Errorf("%d tokens were made and %d reviewed, want the verdict to be remembered", len(m.minted), len(m.reviews))
	}
	if got := federated(t, "inside").FederatedAssertion(minter).Issuer; got != "" {
		t.Errorf("the issuer is %q, of a token that wasn't used", got)
	}
}

// A token that is refused for itself says nothing of its audience: the next one may open the door.
func TestAVerdictOnADeadTokenIsNotRemembered(t *testing.T) {
	m := newMint(func(m *mint) { m.dead = true })
	minter := newMinter(m)
	if _, problem, err := federated(t, "inside").Mint(t.Context(), minter); problem != nil || err != nil {
		t.Fatalf("Mint = %v, %v; want a credential", problem, err)
	}
	m.dead = false
	if got, problem, err := federated(t, "inside").Mint(t.Context(), minter); got != nil || problem == nil || err != nil {
		t.Errorf("Mint = %v, %v, %v; want a problem", got, problem, err)
	}
}

func TestAMinterForgetsVerdictsOnceItHasTooMany(t *testing.T) {
	m := newMint()
	minter := newMinter(m)
	reviewed := func(audience string) bool {
		before := len(m.reviews)
		if _, problem, err := federated(t, audience).Mint(t.Context(), minter); problem != nil || err != nil {
			t.Fatalf("Mint = %v, %v; want a credential", problem, err)
		}
		return len(m.reviews) > before
	}
	for i := range 256 {
		reviewed(fmt.Sprintf("spiffe://%d", i))
	}
	if reviewed("spiffe://0") {
		t.Errorf("the first of 256 audiences is forgotten")
	}
	reviewed("spiffe://256")
	if !reviewed("spiffe://0") {
		t.Errorf("257 audiences are remembered, want no more than 256")
	}
}

func TestMintingThatTheAPIServerRefuses(t *testing.T) {
	resource := schema.GroupResource{Resource: "serviceaccounts/token"}
	const notAllowed = stsv1alpha1.ReasonCredentialNotAllowed
	tests := map[string]struct {
		fail func(*mint)
		want credential.Problem
	}{
		"the account is gone": {func(m *mint) { m.mintErr = apierrors.NewNotFound(resource, "graph") }, credential.Problem{
			Reason: stsv1alpha1.ReasonCredentialNotFound, Message: "ServiceAccount payments/graph doesn't exist. Create it; the request goes on by itself.",
		}},
		"the account is another": {func(m *mint) { m.mintErr = apierrors.NewConflict(resource, "graph", errors.New("uid")) }, credential.Problem{
			Reason: notAllowed, Message: "ServiceAccount payments/graph was replaced while a token of it was made, so that isn't used. The request looks at the new one by itself.",
		}},
		"no right to make tokens": {func(m *mint) { m.mintErr = apierrors.NewForbidden(resource, "graph", errors.New("no right")) }, credential.Problem{
			Reason: notAllowed, Message: "The operator may not make tokens of ServiceAccount payments/graph. Grant its own service account the verb create on serviceaccounts/token in the namespace payments.",
		}},
		"an admission policy has something against it": {func(m *mint) { m.mintErr = apierrors.NewInvalid(schema.GroupKind{Kind: "TokenRequest"}, "graph", nil) }, credential.Problem{
			Reason: notAllowed, Message: "An admission policy refuses tokens of ServiceAccount payments/graph for the audience api://AzureADTokenExchange. If an administrator agrees that they go there, add it to the ConfigMap tokenrequest-audiences in the operator's namespace.",
		}},
		"no right to review them": {func(m *mint) { m.reviewErr = apierrors.NewForbidden(resource, "", errors.New("no right")) }, credential.Problem{
			Reason: notAllowed, Message: "The operator may not ask whether a service account's token opens the API server, and sends none unasked. Grant its own service account the verb create on tokenreviews.authentication.k8s.io.",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMint(test.fail)
			wantNoToken(t, m, newMinter(m), federated(t, entra), test.want)
		})
	}
}

func TestAnErrorOfTheAPIServerWhileMintingIsAnError(t *testing.T) {
	busy := apierrors.NewTooManyRequestsError("busy")
	for name, test := range map[string]struct {
		fail func(*mint)
		want string
	}{
		"making a token":             {func(m *mint) { m.mintErr = busy }, "making a token of ServiceAccount payments/graph: Too many requests: busy"},
		"reviewing it":               {func(m *mint) { m.reviewErr = busy }, "reviewing a service account's token: Too many requests: busy"},
		"reviewing whether it's any": {func(m *mint) { m.audienceErr = busy }, "reviewing a service account's token: Too many requests: busy"},
	} {
		t.Run(name, func(t *testing.T) {
			got, problem, err := federated(t, entra).Mint(t.Context(), newMinter(newMint(test.fail)))
			if got != nil || problem != nil || !errors.Is(err, busy) || err.Error() != test.want {
				t.Errorf("Mint = %v, %v, %v; want the error %q alone", got, problem, err, test.want)
			}
		})
	}
}

func TestARemedyNamesTheIssuerOnceATokenWasMade(t *testing.T) {
	minter, resolved := newMinter(newMint()), federated(t, entra)
	want := &oautherr.Assertion{Subject: "system:serviceaccount:payments:graph", Audience: entra}
	if diff := cmp.Diff(want, resolved.FederatedAssertion(minter)); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	got, problem, err := resolved.Mint(t.Context(), minter)
	if problem != nil || err != nil {
		t.Fatalf("Mint = %v, %v; want a credential", problem, err)
	}
	want.Issuer = clusterIssuer
	for name, c := range map[string]*credential.Credential{"of the credential": resolved, "of its copy": got} {
		if diff := cmp.Diff(want, c.FederatedAssertion(minter)); diff != "" {
			t.Errorf("after, %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAMinterServesManyAtOnce(t *testing.T) {
	m := newMint()
	minter, resolved := newMinter(m), federated(t, entra)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got, problem, err := resolved.Mint(t.Context(), minter)
			if problem != nil || err != nil || got.FederatedAssertion(minter).Issuer != clusterIssuer {
				t.Errorf("Mint = %v, %v, %v; want a credential", got, problem, err)
			}
		})
	}
	all.Wait()
	if len(m.minted) != 8 {
		t.Errorf("%d tokens were made, want 8", len(m.minted))
	}
}
