// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/operator"
	"tokenrequest.dev/operator/test/stssim"
)

// bearer is a grant whose request carries secrets of its own.
type bearer struct {
	name string
	// shown is what the STS was sent.
	shown func(c canaries) string
	spec  func(*stsv1alpha1.TokenRequest)
}

var bearers = []bearer{
	{"a user's token", func(c canaries) string { return c.assertion }, onBehalf},
	{"an assertion", func(c canaries) string { return c.assertion }, bears},
	{"a subject's and an actor's token", func(c canaries) string { return c.assertion + " " + c.actor }, exchanges},
	{"an actor's token", func(c canaries) string { return c.actor }, exchanges},
	{"a refresh token", func(c canaries) string { return c.seed }, refreshes},
	// Its names stand in the assertion, which the operator was given.
	{"a user's name", func(c canaries) string { return c.person.PreferredUsername }, onBehalf},
	{"a user's sub", func(c canaries) string { return c.person.Subject }, exchanges},
	{"a user's oid", func(c canaries) string { return c.person.ObjectID }, bears},
}

func bears(r *stsv1alpha1.TokenRequest) {
	r.Spec.Grant = &stsv1alpha1.Grant{Type: stsv1alpha1.GrantJWTBearer, JWTBearer: &stsv1alpha1.AssertionGrant{Assertion: tradedToken()}}
}

// bringing are the Secrets that grants refer to.
func bringing(c canaries) func(operator.Tenant) []client.Object {
	return func(t operator.Tenant) []client.Object {
		return []client.Object{
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "user"}, StringData: map[string]string{"token": c.assertion, "actor": c.actor}},
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: string(seed.Name)}, StringData: map[string]string{string(seed.Key): c.seed}},
		}
	}
}

// grantPaths are answers to a grant that show what it traded.
func grantPaths() []leakPath {
	var paths []leakPath
	for _, b := range bearers {
		path := func(how string, act func(shown string, c canaries) stssim.Action) {
			paths = append(paths, pathOf(b.name+" in "+how, word, func(c canaries) row {
				return row{act: act(b.shown(c), c), spec: b.spec, with: bringing(c)}
			}))
		}
		for i, member := range members {
			path(fmt.Sprintf("%s (%d)", member.name, i), func(shown string, _ canaries) stssim.Action {
				body := map[string]any{"error": "invalid_grant", "error_description": "no"}
				body[member.name] = member.value(shown)
				return stssim.Action{Status: http.StatusBadRequest, Body: marshal(body)}
			})
		}
		for i, format := range []string{`Bearer error="invalid_token", error_description="You sent %s"`, `Bearer error="%s"`, `Bearer error="insufficient_claims", claims="%s"`} {
			path(fmt.Sprintf("WWW-Authenticate (%d)", i), func(shown string, _ canaries) stssim.Action {
				return stssim.Action{Status: http.StatusUnauthorized, Headers: map[string]string{"WWW-Authenticate": fmt.Sprintf(format, url.QueryEscape(shown))}}
			})
		}
		path("a redirect", func(shown string, _ canaries) stssim.Action {
			return stssim.Action{Status: http.StatusFound, Headers: map[string]string{"Location": "https://elsewhere.example/?token=" + url.QueryEscape(shown)}}
		})
		path("a truncated 200", func(shown string, c canaries) stssim.Action {
			return stssim.Action{Body: responseWith(c, map[string]any{"scope": shown}) + strings.Repeat(" ", 4<<10), Truncate: true}
		})
		path("a token's scope", func(shown string, c canaries) stssim.Action {
			return stssim.Action{Body: responseWith(c, map[string]any{"scope": shown})}
		})
		path("a token's type", func(shown string, c canaries) stssim.Action {
			return stssim.Action{Body: responseWith(c, map[string]any{"token_type": strings.ReplaceAll(shown, " ", "")})}
		})
		path("a token response", func(_ string, c canaries) stssim.Action { return stssim.Action{Body: response(c)} })
		path("an echo of the form", func(string, canaries) stssim.Action {
			return stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_grant", Description: "Cannot read:", Echo: true}}
		})
	}
	return paths
}

// personPaths are tokens whose answer names who signed in.
func personPaths() []leakPath {
	named := func(name string, shown func(c canaries) string, member string) leakPath {
		return pathOf(name, word, func(c canaries) row {
			return row{act: stssim.Action{Body: responseWith(c, map[string]any{member: shown(c)})}}
		})
	}
	return []leakPath{
		named("a scope that is the username of the ID token", func(c canaries) string { return "read " + c.person.PreferredUsername }, "scope"),
		named("a scope that is the sub of the ID token", func(c canaries) string { return "read " + c.person.Subject }, "scope"),
		named("an issued type that is the oid of the ID token", func(c canaries) string { return c.person.ObjectID }, "issued_token_type"),
		named("a type that is the sub of the ID token", func(c canaries) string { return c.person.Subject }, "token_type"),
	}
}
