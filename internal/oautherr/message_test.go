// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"tokenrequest.dev/operator/internal/oautherr"
)

var subject = oautherr.Subject{
	Host:       "login.example.com",
	ClientID:   "1111",
	Request:    "TokenRequest payments/graph",
	Credential: "Secret payments/graph-app key client_secret",
	Issuer:     "spec.issuer",
	Authority:  "https://login.example.com/contoso",
	Scopes:     "https://graph.example.com/.default",
}

func TestMessage(t *testing.T) {
	federated, ofUser, ofSeed, ofAssertion := subject, subject, subject, subject
	ofUser.Grant = oautherr.GrantUser
	ofSeed.Grant, ofSeed.Traded = oautherr.GrantUser, "Secret payments/seed key refresh_token"
	ofAssertion.Grant, ofAssertion.Traded = oautherr.GrantAssertion, "Secret payments/alice key assertion"
	at := func(authority string) oautherr.Subject {
		s := subject
		s.Authority = authority
		return s
	}
	federated.Assertion = &oautherr.Assertion{Issuer: "https://oidc.example.com/", Subject: "system:serviceaccount:payments:graph", Audience: "api://AzureADTokenExchange"}
	tests := map[string]struct {
		err     *oautherr.Error
		subject oautherr.Subject
		want    string
	}{
		"a refusal names host, client, error and number": {
			oautherr.FromResponse(answer(401, `"error":"invalid_client","error_description":"AADSTS7000215: canary","correlation_id":"canary"`), arrival), subject,
			"login.example.com refused client 1111: invalid_client (AADSTS7000215). Store the value of a client secret of client 1111, not its ID, in Secret payments/graph-app key client_secret; a secret created within the last minute may still be on its way.",
		},
		"a refusal without a number": {
			oautherr.FromResponse(answer(400, `"error":"invalid_scope"`), arrival), subject,
			`login.example.com refused client 1111: invalid_scope. Set spec.scopes of TokenRequest payments/graph to scopes that client 1111 may have at login.example.com, instead of "https://graph.example.com/.default".`,
		},
		"a refusal of an unnamed subject is a whole sentence": {
			oautherr.FromResponse(answer(400, `"error":"invalid_scope"`), arrival), oautherr.Subject{},
			"The token service refused the client: invalid_scope. Set spec.scopes of the TokenRequest to scopes that the client may have at the token service, instead of the requested scopes.",
		},
		"a longer number is explained by the one it begins with": {
			oautherr.FromResponse(answer(401, `"error":"invalid_client","error_codes":[70021399]`), arrival), federated,
			`login.example.com refused client 1111: invalid_client (AADSTS70021399). Correct the subject of the federated credential of client 1111, which must have exactly issuer "https://oidc.example.com/", subject "system:serviceaccount:payments:graph", audience "api://AzureADTokenExchange", case included; a new one takes some minutes to work.`,
		},
		"a federated credential that Entra does not find is shown what was sent": {
			oautherr.FromResponse(answer(401, `"error":"invalid_client","error_codes":[70021]`), arrival), federated,
			`login.example.com refused client 1111: invalid_client (AADSTS70021). Give the app registration of client 1111 a federated credential with exactly issuer "https://oidc.example.com/", subject "system:serviceaccount:payments:graph", audience "api://AzureADTokenExchange"; a new one takes some minutes to work.`,
		},
		"a federated client elsewhere is shown what was sent": {
			oautherr.FromResponse(answer(401, `"error":"invalid_client"`), arrival),
			oautherr.Subject{Host: "sts.example.com", Assertion: &oautherr.Assertion{Subject: "s"}},
			`sts.example.com refused the client: invalid_client. Have sts.example.com trust tokens with subject "s" for the client, character by character, case included.`,
		},
		"an unknown error stands verbatim": {
			oautherr.FromResponse(answer(400, `"error":"an_invention"`), arrival), subject,
			"login.example.com refused client 1111: an_invention. Look the error up in the documentation of login.example.com, which uses it outside RFC 6749, and change TokenRequest payments/graph or the registration of client 1111 accordingly.",
		},
		"an unknown error of a failing server is waited for": {
			oautherr.FromResponse(answer(500, `"error":"an_invention"`), arrival), subject,
			"login.example.com could not serve client 1111: an_invention. Nothing has to be changed: the operator asks again, less and less often; where this lasts, ask those who run login.example.com.",
		},
		"an outage in OAuth's terms": {
			oautherr.FromResponse(answer(503, `"error":"temporarily_unavailable"`), arrival), subject,
			"login.example.com could not serve client 1111: temporarily_unavailable. Nothing has to be changed: the operator asks again, less and less often; where this lasts, ask those who run login.example.com.",
		},
		"an outage in HTTP's terms": {
			oautherr.FromResponse(oautherr.Response{Status: 502, Body: []byte("canary")}, arrival), subject,
			"login.example.com answered client 1111 with HTTP 502 and nothing usable: the body is not one JSON object. Nothing has to be changed: the operator asks again, less and less often; where this lasts, ask those who run login.example.com.",
		},
		"throttling names the status": {
			oautherr.FromResponse(oautherr.Response{Status: 429, Header: retryAfter("77")}, arrival), subject,
			"login.example.com throttles client 1111 (HTTP 429). Nothing has to be changed: the operator asks again no earlier than allowed; where this recurs, look for who else asks as this client, or have its limit raised.",
		},
		"throttling for a loop names the number and what to look for": {
			oautherr.FromResponse(answer(400, `"error":"invalid_grant","error_codes":[50196]`), arrival), subject,
			"login.example.com throttles client 1111 (AADSTS50196). Find what else asks login.example.com for the same token as client 1111 without keeping it, and leave TokenRequest payments/graph alone for five minutes.",
		},
		"throttling does not explain a number about a secret": {
			oautherr.FromResponse(answer(429, `"error":"invalid_client","error_codes":[7000215]`), arrival), oautherr.Subject{Host: "h"},
			"h throttles the client (AADSTS7000215). Nothing has to be changed: the operator asks again no earlier than allowed; where this recurs, look for who else asks as this client, or have its limit raised.",
		},
		"a redirect names no target": {
			oautherr.FromResponse(oautherr.Response{Status: 302}, arrival), subject,
			"login.example.com answered client 1111 with a redirect (HTTP 302), and redirects are not followed because the request carries a credential. Set the authority or tokenEndpoint of spec.issuer to the address that login.example.com redirects to, after checking that its owner may see the credential.",
		},
		"a wrong address": {
			oautherr.FromResponse(oautherr.Response{Status: 404}, arrival), subject,
			"login.example.com answered client 1111 with HTTP 404 and nothing usable: the body is empty. Correct the authority or tokenEndpoint of spec.issuer: login.example.com has no token endpoint and no metadata at https://login.example.com/contoso; a server without metadata needs a tokenEndpoint.",
		},
		"an answer that is no token": {
			oautherr.Malformed("it has no access_token"), subject,
			"login.example.com answered client 1111 with HTTP 200 and nothing usable: it has no access_token. Ask those who run login.example.com to mend its answer; where https://login.example.com/contoso is no token service, correct spec.issuer.",
		},
		"a refused connection": {
			oautherr.FromTransport(syscall.ECONNREFUSED), subject,
			"login.example.com could not be reached: it refused the connection. Check that login.example.com runs and that network policies, firewalls and proxies let the operator reach it.",
		},
		"a failure that no other describes": {
			oautherr.FromTransport(errors.New("canary")), subject,
			"login.example.com could not be reached: the connection failed. Check that login.example.com runs and that network policies, firewalls and proxies let the operator reach it.",
		},
		"an untrusted certificate names the field": {
			oautherr.FromTransport(x509.UnknownAuthorityError{}), subject,
			"login.example.com could not be reached: its certificate is signed by an unknown authority. Put the certificate authority that signs for login.example.com into spec.issuer, in tls.caBundle or tls.caBundleRef.",
		},
		"an answer that broke off": {
			oautherr.FromResponse(oautherr.Response{Status: 200, ReadErr: io.ErrUnexpectedEOF}, arrival), subject,
			"login.example.com began to answer client 1111 with HTTP 200 and broke off: it closed the connection too early. Check that login.example.com runs and that network policies, firewalls and proxies let the operator reach it.",
		},
		"a call that was given up": {
			oautherr.FromTransport(context.Canceled), subject,
			"The operator gave up a call to login.example.com. Nothing has to be changed: the operator asks login.example.com again.",
		},
		"a call that was not allowed": {
			oautherr.Refused(oautherr.ReasonEndpointRefused, "the host is not among --allowed-hosts"), subject,
			"No token was asked of login.example.com: the host is not among --allowed-hosts. Correct the authority, tokenEndpoint or proxyURL of spec.issuer, or have the operator's administrator permit calls there.",
		},
		"a call that could not have succeeded": {
			oautherr.Refused(oautherr.ReasonUnsupportedGrantType, "the issuer's metadata lists no such grant"), subject,
			"No token was asked of login.example.com: the issuer's metadata lists no such grant. Set spec.grant.type of TokenRequest payments/graph to a grant that login.example.com offers.",
		},
		"a sign-in that nobody began": {
			oautherr.FromResponse(answer(400, `"error":"expired_token"`), arrival), subject,
			"login.example.com refused client 1111: expired_token. Find out who answers at https://login.example.com/contoso: it speaks of a sign-in with a user code, and TokenRequest payments/graph began none.",
		},
		"a bare 401 is about the credential": {
			oautherr.FromResponse(oautherr.Response{Status: 401}, arrival), subject,
			"login.example.com answered client 1111 with HTTP 401 and nothing usable: the body is empty. Check that Secret payments/graph-app key client_secret holds the present credential of client 1111; where it does, check who answers at https://login.example.com/contoso: the token service, or a proxy or sign-in page in its place.",
		},
		"a refresh token of another client": {
			oautherr.FromResponse(answer(400, `"error":"invalid_grant","suberror":"client_mismatch"`), arrival), subject,
			"login.example.com refused client 1111: invalid_grant. Give TokenRequest payments/graph a token that was issued to client 1111: the one that it presents belongs to another client.",
		},
		"a request that had left": {
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonConnectionFailed, Detail: "it did not answer in time", Sent: true}, subject,
			"login.example.com took the request of client 1111 and gave no answer: it did not answer in time. Check that login.example.com runs and that network policies, firewalls and proxies let the operator reach it.",
		},
		"an administrator is where the token endpoint of Entra says": {
			oautherr.FromResponse(answer(400, `"error":"consent_required"`), arrival), at("https://login.example.com/contoso/oauth2/v2.0/token"),
			"login.example.com refused client 1111: consent_required. Have an administrator of https://login.example.com/contoso consent to \"https://graph.example.com/.default\" for client 1111.",
		},
		"an administrator is at the host of another token endpoint": {
			oautherr.FromResponse(answer(400, `"error":"consent_required"`), arrival), at("https://login.example.com/oauth/token"),
			"login.example.com refused client 1111: consent_required. Have an administrator of login.example.com consent to \"https://graph.example.com/.default\" for client 1111.",
		},
		"a sign-in that is waited for": {
			oautherr.FromResponse(answer(400, `"error":"authorization_pending"`), arrival), ofUser,
			"login.example.com waits for a user to authorize client 1111: authorization_pending. Sign in with the user code that status.deviceAuthorization of TokenRequest payments/graph shows.",
		},
		"a lost sign-in": {
			oautherr.FromResponse(oautherr.Response{Status: 400, Body: []byte(`{"error":"invalid_grant"}`), Grant: oautherr.GrantUser}, arrival), ofUser,
			"login.example.com refused client 1111: invalid_grant. Have the user sign in again and renew what TokenRequest payments/graph holds of that sign-in: its refresh token, its assertion or its device code.",
		},
		"a lost sign-in of which something is kept where it is known": {
			oautherr.FromResponse(oautherr.Response{Status: 400, Body: []byte(`{"error":"invalid_grant"}`), Grant: oautherr.GrantUser}, arrival), ofSeed,
			"login.example.com refused client 1111: invalid_grant. Have the user sign in again and renew what is in Secret payments/seed key refresh_token.",
		},
		"an assertion that isn't trusted": {
			oautherr.FromResponse(oautherr.Response{Status: 400, Body: []byte(`{"error":"invalid_grant"}`), Grant: oautherr.GrantAssertion}, arrival), ofAssertion,
			"login.example.com refused client 1111: invalid_grant. Replace what TokenRequest payments/graph trades for its token, which comes from Secret payments/alice key assertion, or have login.example.com trust it.",
		},
		"an assertion that was traded before": {
			oautherr.FromResponse(oautherr.Response{Status: 400, Body: []byte(`{"error":"jti_known"}`), Grant: oautherr.GrantAssertion}, arrival), ofAssertion,
			"login.example.com refused client 1111: jti_known. Put a new assertion into Secret payments/alice key assertion: login.example.com takes each once.",
		},
		"a grant that a policy forbids": {
			oautherr.FromResponse(answer(400, `"error":"invalid_grant","suberror":"message_only"`), arrival), subject,
			"login.example.com refused client 1111: invalid_grant. Have an administrator of https://login.example.com/contoso consent to what client 1111 asks for, or exempt it from the policy that forbids it.",
		},
		"a claims challenge says where it goes": {
			oautherr.FromResponse(answer(400, `"error":"interaction_required","claims":"{}"`), arrival), ofUser,
			"login.example.com refused client 1111: interaction_required. Copy the claims challenge from status.lastError.claims to spec.claims of TokenRequest payments/graph, and have the user sign in again.",
		},
		"a claims challenge of a client without a user can be met, or be lifted": {
			oautherr.FromResponse(answer(400, `"error":"interaction_required","claims":"{}"`), arrival), subject,
			"login.example.com refused client 1111: interaction_required. Copy the claims challenge from status.lastError.claims to spec.claims of TokenRequest payments/graph; where that does not help, have an administrator of https://login.example.com/contoso exempt client 1111 from the policy that asks for it.",
		},
		"a client without a user is sent to nobody's sign-in": {
			oautherr.FromResponse(answer(400, `"error":"interaction_required","error_codes":[50076]`), arrival), subject,
			"login.example.com refused client 1111: interaction_required (AADSTS50076). Have an administrator of https://login.example.com/contoso exempt client 1111 from the policy that wants to see a user, or give TokenRequest payments/graph a grant in which one signs in: its present one has none.",
		},
		"a number that says more than its class is heeded, user or not": {
			oautherr.FromResponse(answer(400, `"error":"interaction_required","error_codes":[53003]`), arrival), subject,
			"login.example.com refused client 1111: interaction_required (AADSTS53003). Have an administrator of https://login.example.com/contoso exempt client 1111 from the Conditional Access policy, or call from a location that it allows.",
		},
		"a gateway that wants a token is no token service": {
			oautherr.FromResponse(answer(401, `"error":"invalid_token"`), arrival), subject,
			"login.example.com refused client 1111: invalid_token. Check with an HTTP client from inside the cluster who answers at https://login.example.com/contoso: the token service, or a proxy, firewall or sign-in page in its place.",
		},
		"metadata of another issuer": {
			oautherr.OtherIssuer(), subject,
			"login.example.com answered client 1111 with HTTP 200 and nothing usable: the metadata's issuer is not the authority (RFC 8414 section 3.3). Set the authority of spec.issuer to the issuer that the metadata of login.example.com names, byte for byte; where that is somebody else's, find out who answers at login.example.com.",
		},
		"a stored error without a detail": {
			&oautherr.Error{Class: oautherr.Transient, Reason: oautherr.ReasonConnectionFailed}, oautherr.Subject{},
			"The token service could not be reached: the reason is ConnectionFailed. Check that the token service runs and that network policies, firewalls and proxies let the operator reach it.",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.err.Message(test.subject); got != test.want {
				t.Errorf("Message:\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTheSameFailureGivesTheSameMessage(t *testing.T) {
	first := answer(401, `"error":"invalid_client","error_codes":[700016],"error_description":"at 1","trace_id":"a","correlation_id":"b","timestamp":"2026-01-02 03:04:05Z"`)
	second := answer(401, `"error":"invalid_client","error_codes":[700016],"error_description":"at 2","trace_id":"c","correlation_id":"d","timestamp":"2026-01-02 03:05:05Z"`)
	second.Header = retryAfter("9")
	one, two := oautherr.FromResponse(first, arrival).Message(subject), oautherr.FromResponse(second, arrival).Message(subject)
	if one != two {
		t.Errorf("messages differ:\n%s\n%s", one, two)
	}
}

// TestEveryRemedyIsOneBoundedSentence renders the catalogue for nobody, for a
// plain subject and for one whose fields a hostile spec filled.
func TestEveryRemedyIsOneBoundedSentence(t *testing.T) {
	long := strings.Repeat("\"\\é\n\u202e", 100)
	hostile := oautherr.Subject{Host: long, ClientID: long, Request: long, Credential: long, Traded: long, Issuer: long, Authority: long, Scopes: long,
		Assertion: &oautherr.Assertion{Issuer: long, Subject: long, Audience: long}}
	oneSentence := regexp.MustCompile(`^[A-Z][^{}\n]*[^.]\.$`)
	for _, entry := range oautherr.Catalogue() {
		for name, s := range map[string]oautherr.Subject{"empty": {}, "plain": subject, "hostile": hostile} {
			remedy := entry.Remedy(s)
			if len(remedy) > 1024 || strings.HasSuffix(remedy, "…") || !oneSentence.MatchString(remedy) {
				t.Errorf("%s of the %s subject: %q is not one sentence of at most 1024 bytes", entry.Code, name, remedy)
			}
			if name != "hostile" && strings.Contains(strings.TrimSuffix(remedy, "."), ". ") {
				t.Errorf("%s of the %s subject: %q is several sentences", entry.Code, name, remedy)
			}
		}
	}
}

func TestASubjectCannotWriteAPlaceholder(t *testing.T) {
	got := oautherr.Refused(oautherr.ReasonEndpointRefused, "x").Remedy(oautherr.Subject{Issuer: "{host}", Host: "{issuer}"})
	const want = "Correct the authority, tokenEndpoint or proxyURL of {host}, or have the operator's administrator permit calls there."
	if got != want {
		t.Errorf("Remedy = %q, want %q", got, want)
	}
}
