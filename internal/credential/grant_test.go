// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/sts"
)

func ofSecret(key stsv1alpha1.DataKey) stsv1alpha1.TokenSource {
	return stsv1alpha1.TokenSource{SecretRef: &stsv1alpha1.SecretKeyRef{Name: "user", Key: key}}
}

func ofAccount(audience string) stsv1alpha1.TokenSource {
	return stsv1alpha1.TokenSource{ServiceAccount: &stsv1alpha1.ServiceAccountToken{Name: "graph", Audience: audience}}
}

func onBehalfOf(source stsv1alpha1.TokenSource) *stsv1alpha1.Grant {
	return &stsv1alpha1.Grant{Type: stsv1alpha1.GrantOnBehalfOf, OnBehalfOf: &stsv1alpha1.AssertionGrant{Assertion: source}}
}

func jwtBearer(source stsv1alpha1.TokenSource) *stsv1alpha1.Grant {
	return &stsv1alpha1.Grant{Type: stsv1alpha1.GrantJWTBearer, JWTBearer: &stsv1alpha1.AssertionGrant{Assertion: source}}
}

const accessToken, jwtType = "urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"

func exchange(subject stsv1alpha1.TokenSource, actor *stsv1alpha1.TokenSource) *stsv1alpha1.Grant {
	g := &stsv1alpha1.TokenExchangeGrant{SubjectToken: subject, SubjectTokenType: jwtType, RequestedTokenType: accessToken, Audiences: []string{"a", "b"}}
	if actor != nil {
		g.ActorToken, g.ActorTokenType = actor, accessToken
	}
	return &stsv1alpha1.Grant{Type: stsv1alpha1.GrantTokenExchange, TokenExchange: g}
}

func refreshToken(key stsv1alpha1.DataKey) *stsv1alpha1.Grant {
	return &stsv1alpha1.Grant{Type: stsv1alpha1.GrantRefreshToken, RefreshToken: &stsv1alpha1.RefreshTokenGrant{TokenRef: stsv1alpha1.SecretKeyRef{Name: "user", Key: key}}}
}

func signIn() *stsv1alpha1.Grant {
	return &stsv1alpha1.Grant{Type: stsv1alpha1.GrantDeviceCode, DeviceCode: &stsv1alpha1.DeviceCodeGrant{}}
}

func TestWhatAGrantTrades(t *testing.T) {
	const userRead, accountRead = "uid-of-app/7,uid-of-user/7", "uid-of-app/7,uid-of-graph/"
	const ofUser, ofActor, ofGraph = "Secret payments/user key assertion", "Secret payments/user key actor", "ServiceAccount payments/graph"
	exchanged := func(change sts.Grant) sts.Grant {
		change.Type, change.SubjectTokenType, change.RequestedTokenType, change.Audiences = sts.GrantTokenExchange, jwtType, accessToken, []string{"a", "b"}
		return change
	}
	actor, minted := ofSecret("actor"), ofAccount("https://sts.example.com")
	tests := map[string]struct {
		grant       *stsv1alpha1.Grant
		want        sts.Grant
		identity    string
		description string
		hidden      []sts.Sensitive
	}{
		"nothing when there is none":          {nil, sts.Grant{}, "uid-of-app/7", "", nil},
		"nothing with client credentials":     {&stsv1alpha1.Grant{Type: stsv1alpha1.GrantClientCredentials}, sts.Grant{}, "uid-of-app/7", "", nil},
		"nothing yet where a person signs in": {signIn(), sts.Grant{Type: sts.GrantDeviceCode}, "uid-of-app/7", "", nil},
		"an assertion on behalf of":           {onBehalfOf(ofSecret("assertion")), sts.Grant{Type: sts.GrantJWTBearer, OnBehalfOf: true, Assertion: grantCanary}, userRead, ofUser, []sts.Sensitive{grantCanary}},
		"an assertion of a bearer":            {jwtBearer(ofSecret("assertion")), sts.Grant{Type: sts.GrantJWTBearer, Assertion: grantCanary}, userRead, ofUser, []sts.Sensitive{grantCanary}},
		"an assertion to be minted":           {jwtBearer(ofAccount(entra)), sts.Grant{Type: sts.GrantJWTBearer}, accountRead + entra, ofGraph, nil},
		"a subject's token":                   {exchange(ofSecret("assertion"), nil), exchanged(sts.Grant{SubjectToken: grantCanary}), userRead, ofUser, []sts.Sensitive{grantCanary}},
		"a subject's and an actor's": {
			exchange(ofSecret("assertion"), &actor), exchanged(sts.Grant{SubjectToken: grantCanary, ActorToken: actorCanary, ActorTokenType: accessToken}),
			userRead, ofUser + " and " + ofActor, []sts.Sensitive{grantCanary, actorCanary},
		},
		"a subject's, and an actor's to be minted": {
			exchange(ofSecret("assertion"), &minted), exchanged(sts.Grant{SubjectToken: grantCanary, ActorTokenType: accessToken}),
			userRead + ",uid-of-graph/https://sts.example.com", ofUser + " and " + ofGraph, []sts.Sensitive{grantCanary},
		},
		"both of one account": {
			exchange(ofAccount(entra), &minted), exchanged(sts.Grant{ActorTokenType: accessToken}),
			accountRead + entra + ",uid-of-graph/https://sts.example.com", ofGraph + " and " + ofGraph, nil,
		},
		"a refresh token": {refreshToken("assertion"), sts.Grant{Type: sts.GrantRefreshToken, RefreshToken: grantCanary}, userRead, ofUser, []sts.Sensitive{grantCanary}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := resolveGrant(t, everything(), newIssuer(), test.grant)
			if diff := cmp.Diff(test.want, got.Grant); diff != "" {
				t.Errorf("Grant (-want +got):\n%s", diff)
			}
			if got.Identity != test.identity || got.GrantDescription != test.description {
				t.Errorf("Identity = %q, GrantDescription = %q, want %q, %q", got.Identity, got.GrantDescription, test.identity, test.description)
			}
			if diff := cmp.Diff(append([]sts.Sensitive{secretCanary}, test.hidden...), got.Hidden, cmp.Transformer("Reveal", sts.Sensitive.Reveal)); diff != "" {
				t.Errorf("Hidden (-want +got):\n%s", diff)
			}
			wantNoCanary(t, fmt.Sprintf("%v %+v %#v", got, got, *got))
		})
	}
}

// A shared issuer's references are looked up with the issuer, a grant's with the request.
func TestAGrantsReferencesAreTheRequests(t *testing.T) {
	c := everything()
	moved := app()
	moved.Namespace, moved.UID = "system", "uid-of-the-system's"
	c.objects = append(c.objects, moved)
	site := credential.Site{Issuer: "ClusterTokenIssuer contoso spec", IssuerNamespace: "system", Namespace: namespace}
	// Both name a Secret "app".
	grant := jwtBearer(stsv1alpha1.TokenSource{SecretRef: &stsv1alpha1.SecretKeyRef{Name: "app", Key: "client_id"}})
	got, problem, err := resolverOf(c).Resolve(t.Context(), site, newIssuer(), grant)
	if problem != nil || err != nil {
		t.Fatalf("Resolve = %v, %v; want a credential", problem, err)
	}
	want(t, "what was read", []string{"Secret/app in system", "Secret/app in payments"}, c.read)
	if want := "uid-of-the-system's/7,uid-of-app/7"; got.Identity != want {
		t.Errorf("Identity = %q, want %q", got.Identity, want)
	}
	if got.Description != "Secret system/app key client_secret" || got.GrantDescription != "Secret payments/app key client_id" {
		t.Errorf("Description = %q, GrantDescription = %q", got.Description, got.GrantDescription)
	}
}

func TestAGrantThatCannotBeUsedIsAProblem(t *testing.T) {
	holding := func(value string) *cluster {
		return &cluster{objects: []client.Object{app(), &corev1.Secret{ObjectMeta: meta("user"), Data: map[string][]byte{"assertion": []byte(value)}}}}
	}
	const notFound, invalid, notAllowed = stsv1alpha1.ReasonCredentialNotFound, stsv1alpha1.ReasonCredentialInvalid, stsv1alpha1.ReasonCredentialNotAllowed
	const user = "Secret payments/user"
	actor := ofSecret("actor")
	tests := map[string]struct {
		cluster *cluster
		grant   *stsv1alpha1.Grant
		want    credential.Problem
	}{
		"a missing Secret":         {&cluster{objects: []client.Object{app()}}, jwtBearer(ofSecret("assertion")), credential.Problem{Reason: notFound, Message: user + " doesn't exist. Create it; the request goes on by itself."}},
		"a missing key":            {holding("a"), jwtBearer(ofSecret("none")), credential.Problem{Reason: notFound, Message: user + " has no key none. Add it; the request goes on by itself."}},
		"a missing actor's":        {holding("a"), exchange(ofSecret("assertion"), &actor), credential.Problem{Reason: notFound, Message: user + " has no key actor. Add it; the request goes on by itself."}},
		"a missing refresh token":  {holding("a"), refreshToken("none"), credential.Problem{Reason: notFound, Message: user + " has no key none. Add it; the request goes on by itself."}},
		"a line feed at the end":   {holding(grantCanary + "\n"), onBehalfOf(ofSecret("assertion")), credential.Problem{Reason: invalid, Message: user + " key assertion ends in a line feed, which isn't part of the value. Write it without one, as printf does and echo doesn't."}},
		"an empty refresh token":   {holding(""), refreshToken("assertion"), credential.Problem{Reason: invalid, Message: user + " key assertion is empty. Put the value there."}},
		"a missing ServiceAccount": {holding("a"), jwtBearer(ofAccount(entra)), credential.Problem{Reason: notFound, Message: "ServiceAccount payments/graph doesn't exist. Create it; the request goes on by itself."}},
		"an audience not allowed":  {everything(), jwtBearer(ofAccount("spiffe://a")), credential.Problem{Reason: notAllowed, Message: "ServiceAccount payments/graph doesn't let tokens be made for the audience spiffe://a. Add it to its annotation sts.tokenrequest.dev/allowed-audiences, after a comma, if its owner agrees; the request goes on by itself."}},
		"the API server's audience": {everything(), exchange(ofAccount("https://kubernetes.default.svc"), nil), credential.Problem{
			Reason: notAllowed, Message: "The audience https://kubernetes.default.svc is the API server's own, so that a token for it would open this cluster. Name the STS's audience in spec.grant.tokenExchange.subjectToken.serviceAccount.audience.",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := refuseGrant(t, resolverOf(test.cluster), newIssuer(), test.grant)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the problem (-want +got):\n%s", diff)
			}
			wantNoCanary(t, got.Message)
		})
	}
}

func TestTheOwnerOfATokenIsAsked(t *testing.T) {
	actor := ofSecret("actor")
	for name, grant := range map[string]*stsv1alpha1.Grant{
		"an assertion": onBehalfOf(ofSecret("assertion")), "a subject's token": exchange(ofSecret("assertion"), nil),
		"an actor's token": exchange(ofAccount(entra), &actor), "a refresh token": refreshToken("assertion"),
	} {
		t.Run(name, func(t *testing.T) {
			c := everything()
			for _, o := range c.objects {
				if s, is := o.(*corev1.Secret); is && s.Name == "user" {
					allowing(s, "login.example.com")
				}
			}
			problem := resolveGrant(t, c, newIssuer(), grant).Permits("https://sts.example.com/token")
			if problem == nil || !strings.HasPrefix(problem.Message, "Secret payments/user key ") || !strings.Contains(problem.Message, " may not be sent to sts.example.com. ") {
				t.Errorf("Permits = %v, want the token's Secret to refuse", problem)
			}
		})
	}
	t.Run("where the operator requires it", func(t *testing.T) {
		c := everything()
		allowing(c.objects[0].(*corev1.Secret), "sts.example.com")
		resolver := resolverOf(c)
		resolver.RequireAllowedHosts = true
		if got := refuseGrant(t, resolver, newIssuer(), refreshToken("assertion")); !strings.HasPrefix(got.Message, "Secret payments/user key assertion doesn't say where it may be sent") {
			t.Errorf("the problem is %v, want the token's Secret to be named", got)
		}
	})
}

// jwt is one whose signature is as good as any: nobody here looks at it.
func jwt(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(payload)) + "." + encode([]byte("canary"))
}

func TestATokenThatHasExpiredIsNotTraded(t *testing.T) {
	at := noon.Unix()
	tests := map[string]struct {
		token   string
		expired bool
	}{
		"long ago":                              {jwt(`{"exp":1}`), true},
		"just now":                              {jwt(fmt.Sprintf(`{"exp":%d}`, at)), true},
		"in a second":                           {jwt(fmt.Sprintf(`{"exp":%d}`, at+1)), false},
		"half a second ago":                     {jwt(fmt.Sprintf(`{"exp":%d.5}`, at-1)), true},
		"never, for all it says":                {jwt(`{}`), false},
		"never, as Keycloak says it":            {jwt(`{"exp":0}`), false},
		"at an instant nobody can read":         {jwt(`{"exp":"1"}`), false},
		"beyond all time":                       {jwt(`{"exp":1e300}`), false},
		"under another name":                    {jwt(`{"EXP":1}`), false},
		"nobody knows: the payload is no JSON":  {jwt("canary"), false},
		"nobody knows: the payload is a list":   {jwt("[1]"), false},
		"nobody knows: the payload is null":     {jwt("null"), false},
		"nobody knows: it has five parts":       {jwt(`{"exp":1}`) + ".AA.AA", false},
		"nobody knows: it isn't base64url":      {"a.b.c!" + grantCanary, false},
		"nobody knows: it is opaque":            {grantCanary, false},
		"nobody knows: a SAML assertion's form": {"PHNhbWw-Y2FuYXJ5PC9zYW1sPg", false},
	}
	for name, test := range tests {
		c := &cluster{objects: []client.Object{app(), &corev1.Secret{ObjectMeta: meta("user"), Data: map[string][]byte{"assertion": []byte(test.token), "actor": []byte("opaque")}}}}
		opaque, expiring := ofSecret("actor"), ofSecret("assertion")
		for kind, grant := range map[string]*stsv1alpha1.Grant{
			"on behalf of": onBehalfOf(expiring), "by its bearer": jwtBearer(expiring),
			"as a subject's": exchange(expiring, nil), "as an actor's": exchange(opaque, &expiring),
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				if !test.expired {
					resolveGrant(t, c, newIssuer(), grant)
					return
				}
				got := refuseGrant(t, resolverOf(c), newIssuer(), grant)
				want := credential.Problem{Reason: stsv1alpha1.ReasonAssertionExpired, Message: "The token in Secret payments/user key assertion has expired. Put a new one there; the request goes on by itself."}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the problem (-want +got):\n%s", diff)
				}
			})
		}
		t.Run(name+" as a refresh token, which is opaque", func(t *testing.T) {
			resolveGrant(t, c, newIssuer(), refreshToken("assertion"))
		})
	}
}
