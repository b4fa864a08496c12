// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/sts"
)

func TestResolve(t *testing.T) {
	const appRead, caRead = "uid-of-app/7", "uid-of-ca/7"
	signIn := sts.Grant{Type: sts.GrantDeviceCode}
	hidden := func(values ...sts.Sensitive) []sts.Sensitive { return values }
	tests := map[string]struct {
		issuer *stsv1alpha1.IssuerSpec
		want   credential.Credential
	}{
		"a public client reads nothing": {newIssuer(withoutCredential), credential.Credential{ClientID: "orders", Grant: signIn}},
		"a client secret": {newIssuer(), credential.Credential{
			ClientID: "orders", Secret: secretCanary, Identity: appRead, Description: "Secret payments/app key client_secret",
			Hidden: hidden(secretCanary),
		}},
		"a client secret with a method": {
			newIssuer(func(i *stsv1alpha1.IssuerSpec) { i.Credential.ClientSecret.Method = stsv1alpha1.ClientSecretBasic }),
			credential.Credential{
				ClientID: "orders", Secret: secretCanary, Method: sts.AuthClientSecretBasic, Identity: appRead,
				Description: "Secret payments/app key client_secret", Hidden: hidden(secretCanary),
			},
		},
		"client identifier and secret out of one Secret": {newIssuer(withClientIDOf("app", "client_id")), credential.Credential{
			ClientID: "orders", Secret: secretCanary, Identity: appRead, Description: "Secret payments/app key client_secret",
			Hidden: hidden("orders", secretCanary),
		}},
		"client identifier and secret out of two Secrets": {newIssuer(withClientIDOf("other", "appId")), credential.Credential{
			ClientID: "invoices", Secret: secretCanary, Identity: "uid-of-other/7," + appRead, Description: "Secret payments/app key client_secret",
			Hidden: hidden("invoices", secretCanary),
		}},
		"a public client's identifier out of a Secret": {newIssuer(withoutCredential, withClientIDOf("other", "appId")), credential.Credential{
			ClientID: "invoices", Grant: signIn, Identity: "uid-of-other/7", Hidden: hidden("invoices"),
		}},
		"a trust root that is spelled out": {newIssuer(withoutCredential, withInlineCA(certificate)), credential.Credential{
			ClientID: "orders", Grant: signIn, Transport: sts.Transport{RootCAs: []byte(certificate)},
		}},
		"a trust root out of a ConfigMap": {newIssuer(withoutCredential, withCA(stsv1alpha1.CABundleConfigMap)), credential.Credential{
			ClientID: "orders", Grant: signIn, Transport: sts.Transport{RootCAs: []byte(certificate)}, Identity: caRead,
		}},
		"a trust root out of a Secret": {newIssuer(withoutCredential, withCA(stsv1alpha1.CABundleSecret)), credential.Credential{
			ClientID: "orders", Grant: signIn, Transport: sts.Transport{RootCAs: []byte(certificate)}, Identity: caRead,
		}},
		"a proxy": {newIssuer(withoutCredential, withProxy("http://proxy.example.com:3128")), credential.Credential{
			ClientID: "orders", Grant: signIn, Transport: sts.Transport{ProxyURL: "http://proxy.example.com:3128"},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := resolve(t, everything(), test.issuer)
			if diff := cmp.Diff(&test.want, got, cmpopts.IgnoreUnexported(credential.Credential{})); diff != "" {
				t.Errorf("Resolve (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAConfigMapMayHoldItsTrustRootAsBytes(t *testing.T) {
	c := &cluster{objects: []client.Object{&corev1.ConfigMap{
		ObjectMeta: meta("ca"), BinaryData: map[string][]byte{"ca.crt": []byte(certificate)},
	}}}
	got := resolve(t, c, newIssuer(withoutCredential, withCA(stsv1alpha1.CABundleConfigMap)))
	if diff := cmp.Diff([]byte(certificate), got.Transport.RootCAs); diff != "" {
		t.Errorf("RootCAs (-want +got):\n%s", diff)
	}
}

// Each is a condition that says what to do, not an error.
func TestAReferenceThatCannotBeUsedIsAProblem(t *testing.T) {
	const printable = "Secret payments/app key client_secret holds bytes that are no printable ASCII (RFC 6749 appendix A). Put the value there as the STS showed it."
	const lineFeed = "Secret payments/app key client_secret ends in a line feed, which isn't part of the value. Write it without one, as printf does and echo doesn't."
	holding := func(value string) *cluster {
		s := app()
		s.Data["client_secret"] = []byte(value)
		return &cluster{objects: []client.Object{s}}
	}
	bundle := func(value string) *cluster {
		return &cluster{objects: []client.Object{
			&corev1.ConfigMap{ObjectMeta: meta("ca"), Data: map[string]string{"ca.crt": value}},
			&corev1.Secret{ObjectMeta: meta("ca"), Data: map[string][]byte{"ca.crt": []byte(value)}},
		}}
	}
	caOf := func(kind stsv1alpha1.CABundleKind) *stsv1alpha1.IssuerSpec {
		return newIssuer(withoutCredential, withCA(kind))
	}
	const notFound, invalid = stsv1alpha1.ReasonCredentialNotFound, stsv1alpha1.ReasonCredentialInvalid
	const noPEM = " holds no PEM certificate. Put the CA's certificate there, from -----BEGIN CERTIFICATE----- on."
	tests := map[string]struct {
		cluster *cluster
		issuer  *stsv1alpha1.IssuerSpec
		want    credential.Problem
	}{
		"a missing Secret": {&cluster{}, newIssuer(), credential.Problem{
			Reason: notFound, Message: "Secret payments/app doesn't exist. Create it; the request goes on by itself.",
		}},
		"a missing key": {everything(), newIssuer(func(i *stsv1alpha1.IssuerSpec) { i.Credential = clientSecret("app", "password") }), credential.Problem{
			Reason: notFound, Message: "Secret payments/app has no key password. Add it; the request goes on by itself.",
		}},
		"a missing Secret of the client identifier": {everything(), newIssuer(withClientIDOf("none", "client_id")), credential.Problem{
			Reason: notFound, Message: "Secret payments/none doesn't exist. Create it; the request goes on by itself.",
		}},
		"a missing key of the client identifier": {everything(), newIssuer(withClientIDOf("app", "appId")), credential.Problem{
			Reason: notFound, Message: "Secret payments/app has no key appId. Add it; the request goes on by itself.",
		}},
		"an empty value":            {holding(""), newIssuer(), credential.Problem{Reason: invalid, Message: "Secret payments/app key client_secret is empty. Put the value there."}},
		"a line feed at the end":    {holding(secretCanary + "\n"), newIssuer(), credential.Problem{Reason: invalid, Message: lineFeed}},
		"the line feed of Windows":  {holding(secretCanary + "\r\n"), newIssuer(), credential.Problem{Reason: invalid, Message: lineFeed}},
		"nothing but a line feed":   {holding("\n"), newIssuer(), credential.Problem{Reason: invalid, Message: lineFeed}},
		"a line feed in the middle": {holding("canary\nof"), newIssuer(), credential.Problem{Reason: invalid, Message: printable}},
		"a letter beyond ASCII":     {holding("canary-ü"), newIssuer(), credential.Problem{Reason: invalid, Message: printable}},
		"a byte order mark":         {holding("\ufeff" + secretCanary), newIssuer(), credential.Problem{Reason: invalid, Message: printable}},
		"bytes that are no text":    {holding("\x00\xff"), newIssuer(), credential.Problem{Reason: invalid, Message: printable}},
		"a DEL":                     {holding("canary\x7f"), newIssuer(), credential.Problem{Reason: invalid, Message: printable}},
		"a client identifier too long": {holding(strings.Repeat("a", 257)), newIssuer(withClientIDOf("app", "client_secret")), credential.Problem{
			Reason: invalid, Message: "Secret payments/app key client_secret is longer than 256 characters. Put the client identifier there.",
		}},
		"a missing ConfigMap": {&cluster{}, caOf(stsv1alpha1.CABundleConfigMap), credential.Problem{
			Reason: notFound, Message: "ConfigMap payments/ca doesn't exist. Create it; the request goes on by itself.",
		}},
		"a missing Secret of the trust root": {&cluster{}, caOf(stsv1alpha1.CABundleSecret), credential.Problem{
			Reason: notFound, Message: "Secret payments/ca doesn't exist. Create it; the request goes on by itself.",
		}},
		"a missing key of the ConfigMap": {&cluster{objects: []client.Object{&corev1.ConfigMap{ObjectMeta: meta("ca")}}}, caOf(stsv1alpha1.CABundleConfigMap), credential.Problem{
			Reason: notFound, Message: "ConfigMap payments/ca has no key ca.crt. Add it; the request goes on by itself.",
		}},
		"a missing key of the Secret of the trust root": {&cluster{objects: []client.Object{&corev1.Secret{ObjectMeta: meta("ca")}}}, caOf(stsv1alpha1.CABundleSecret), credential.Problem{
			Reason: notFound, Message: "Secret payments/ca has no key ca.crt. Add it; the request goes on by itself.",
		}},
		"a ConfigMap without PEM":    {bundle("not PEM"), caOf(stsv1alpha1.CABundleConfigMap), credential.Problem{Reason: invalid, Message: "ConfigMap payments/ca key ca.crt" + noPEM}},
		"a Secret without PEM":       {bundle("not PEM"), caOf(stsv1alpha1.CABundleSecret), credential.Problem{Reason: invalid, Message: "Secret payments/ca key ca.crt" + noPEM}},
		"an empty trust root":        {bundle(""), caOf(stsv1alpha1.CABundleConfigMap), credential.Problem{Reason: invalid, Message: "ConfigMap payments/ca key ca.crt" + noPEM}},
		"PEM of something else":      {bundle("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), caOf(stsv1alpha1.CABundleConfigMap), credential.Problem{Reason: invalid, Message: "ConfigMap payments/ca key ca.crt" + noPEM}},
		"PEM of half a certificate":  {bundle(certificate[:200]), caOf(stsv1alpha1.CABundleConfigMap), credential.Problem{Reason: invalid, Message: "ConfigMap payments/ca key ca.crt" + noPEM}},
		"a trust root spelled wrong": {&cluster{}, newIssuer(withoutCredential, withInlineCA("-----BEGIN CERTIFICATE-----")), credential.Problem{Reason: invalid, Message: "spec.issuer.tls.caBundle" + noPEM}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := refuse(t, resolverOf(test.cluster), test.issuer)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the problem (-want +got):\n%s", diff)
			}
		})
	}
}

// A value may hold every character of VSCHAR, and as much as 256 of them name a client.
func TestWhatAppendixAAllowsIsTaken(t *testing.T) {
	var vschar strings.Builder
	for b := byte(' '); b <= '~'; b++ {
		vschar.WriteByte(b)
	}
	for name, value := range map[string]string{
		"every character":       vschar.String(),
		"a space at either end": " a ",
		"256 characters":        strings.Repeat("a", 256),
	} {
		t.Run(name, func(t *testing.T) {
			s := app()
			s.Data["client_id"], s.Data["client_secret"] = []byte(value), []byte(value)
			got := resolve(t, &cluster{objects: []client.Object{s}}, newIssuer(withClientIDOf("app", "client_id")))
			if got.ClientID != value || got.Secret.Reveal() != value {
				t.Errorf("ClientID = %q, Secret = %q, want %q", got.ClientID, got.Secret.Reveal(), value)
			}
		})
	}
}

// What the API server says of itself isn't the user's fault: the reconcile is tried again.
func TestAnErrorOfTheAPIServerIsAnError(t *testing.T) {
	resource := schema.GroupResource{Resource: "secrets"}
	for name, fails := range map[string]error{
		"it is too busy":          apierrors.NewTooManyRequestsError("busy"),
		"it allows us too little": apierrors.NewForbidden(resource, "app", errors.New("no right")),
		"it fails":                apierrors.NewInternalError(errors.New("etcd")),
		"it can't be reached":     errors.New("connection refused"),
		"we stop":                 context.Canceled,
	} {
		for object, issuer := range map[string]*stsv1alpha1.IssuerSpec{
			"Secret payments/app":   newIssuer(),
			"Secret payments/other": newIssuer(withClientIDOf("other", "appId")),
			"Secret payments/ca":    newIssuer(withoutCredential, withCA(stsv1alpha1.CABundleSecret)),
			"ConfigMap payments/ca": newIssuer(withoutCredential, withCA(stsv1alpha1.CABundleConfigMap)),
		} {
			t.Run(name+" about "+object, func(t *testing.T) {
				got, problem, err := resolverOf(&cluster{fails: fails}).Resolve(t.Context(), credential.Inline(namespace), issuer, anyones(issuer))
				if got != nil || problem != nil || !errors.Is(err, fails) {
					t.Fatalf("Resolve = %v, %v, %v; want the API server's error alone", got, problem, err)
				}
				if want := "reading " + object + ": " + fails.Error(); err.Error() != want {
					t.Errorf("the error is %q, want %q", err, want)
				}
			})
		}
	}
}

func TestTheIdentityIsThatOfWhatWasRead(t *testing.T) {
	issuer := newIssuer(withClientIDOf("other", "appId"), withCA(stsv1alpha1.CABundleConfigMap))
	before := resolve(t, everything(), issuer).Identity
	if again := resolve(t, everything(), issuer).Identity; again != before {
		t.Errorf("the identity was %q and is %q, with nothing changed", before, again)
	}
	change := map[string]func(client.Object){
		"another version": func(o client.Object) { o.SetResourceVersion("8") },
		"another object":  func(o client.Object) { o.SetUID("made-anew") },
	}
	for what, change := range change {
		for i, changes := range []struct {
			of    string
			wants bool
		}{{"the Secret of the client secret", true}, {"the Secret of the client identifier", true}, {"a Secret that isn't referred to", false}, {"the ConfigMap of the trust root", true}} {
			t.Run(what+" of "+changes.of, func(t *testing.T) {
				c := everything()
				change(c.objects[i])
				if after := resolve(t, c, issuer).Identity; (after != before) != changes.wants {
					t.Errorf("the identity was %q and is %q, want a change: %t", before, after, changes.wants)
				}
			})
		}
	}
}

func TestTheIdentitySaysNothingOfTheContent(t *testing.T) {
	c := everything()
	issuer := newIssuer(withClientIDOf("app", "client_id"))
	before := resolve(t, c, issuer).Identity
	c.objects[0].(*corev1.Secret).Data["client_secret"] = []byte("another")
	if after := resolve(t, c, issuer).Identity; after != before {
		t.Errorf("the identity was %q and is %q: it depends on bytes", before, after)
	}
}

// A clientIDRef may point at a secret, so its value is hidden; what the issuer's own addresses say is in
// everybody's sight already, and stands in all that the STS says of itself.
func TestAClientIdentifierHidesNothingThatTheIssuerSays(t *testing.T) {
	const long = "https://sso.example.com/realms/payments-service"
	tests := map[string]struct {
		authority stsv1alpha1.HTTPSURL
		endpoint  stsv1alpha1.HTTPSURL
		id        string
		want      map[string]bool // whether a text quotes what is hidden
	}{
		"a word of the authority": {"https://sso.example.com/realms/payments", "", "payments", map[string]bool{
			"https://sso.example.com/realms/payments/token": false, "payments": false}},
		"a word of the token endpoint": {"", "https://sso.example.com/payments/token", "payments", map[string]bool{
			"https://sso.example.com/payments/device": false}},
		"more than a word of it": {long, "", "payments-service-prod", map[string]bool{
			long + "/token": false, "payments-service": false, long + "/payments-service-prod": true, "cGF5bWVudHMtc2VydmljZS1wcm9k": true}},
		"an address on the same host": {long, "", "https://user:hunter2@sso.example.com/x", map[string]bool{
			long + "/token": false, "https://user:hunter2@other.example": true, "hunter2@sso.": true, "//user:hunter2@": true}},
		"a word that stands nowhere": {long, "", "orders", map[string]bool{
			long + "/orders": true, long + "/token": false}},
		"the authority itself": {long, "", long, map[string]bool{long + "/token": false}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &corev1.Secret{ObjectMeta: meta("app"), Data: map[string][]byte{"client_id": []byte(test.id)}}
			got := resolve(t, &cluster{objects: []client.Object{s}}, newIssuer(withoutCredential, withClientIDOf("app", "client_id"), func(i *stsv1alpha1.IssuerSpec) {
				i.Authority, i.TokenEndpoint = test.authority, test.endpoint
			}))
			quotes := got.Quotes()
			for text, want := range test.want {
				if quotes(text) != want {
					t.Errorf("that %s quotes what is hidden is %t, want %t", text, !want, want)
				}
			}
			if got.ClientID != test.id {
				t.Errorf("the client identifier is %q", got.ClientID)
			}
		})
	}
	t.Run("a client secret stays hidden, whatever it is and whoever refers to it", func(t *testing.T) {
		s := &corev1.Secret{ObjectMeta: meta("app"), Data: map[string][]byte{"client_secret": []byte("payments")}}
		issuer := newIssuer(withClientIDOf("app", "client_secret"), func(i *stsv1alpha1.IssuerSpec) { i.Authority = "https://sso.example.com/realms/payments" })
		if got := resolve(t, &cluster{objects: []client.Object{s}}, issuer); !got.Quotes()("https://sso.example.com/realms/payments/token") {
			t.Error("a client secret that is a word of the authority is hidden no longer")
		}
	})
}
