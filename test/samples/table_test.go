// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package samples_test

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/test/stssim"
)

// sample is what a file takes for granted and comes to.
type sample struct {
	// labels are on the namespace.
	labels map[string]string
	// elsewhere are the objects of the namespace that somebody else makes.
	elsewhere []client.Object
	// values are what a person writes in the place of a value in the file.
	values map[string]string
	// clients are registered at the STS, beside stssim.DemoClients.
	clients []stssim.Client
	// requests are the TokenRequests in the file, by name.
	requests map[string]token
}

// token is how a TokenRequest gets its token, and which.
type token struct {
	tenant, client string
	method, grant  string // as the STS logs them

	subject  string // whom it is about; the client itself if empty
	audience string
	scope    string // in the Secret; no such key if empty

	reads reader // of the Secret; the default keys if nil

	signsIn *stssim.Person // whoever does so with the code
	store   string         // the Secret of the refresh token
	seed    string         // the refresh token before that, which isn't in there any more
}

const (
	graph   = "https://graph.microsoft.com"
	contoso = "contoso.onmicrosoft.com"
	// contosoApp is known to the STS by the secret that the samples have.
	contosoApp = "11111111-2222-3333-4444-555555555555"
	shop       = "shop"
)

// The grants by their grant_type.
const (
	clientCredentials = "client_credentials"
	refreshToken      = "refresh_token"
	jwtBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange"
	deviceCode        = "urn:ietf:params:oauth:grant-type:device_code"
)

// table has each file below config/samples that this suite applies, by its path there. The functions
// are called when their file's turn has come, with its namespace.
var table = map[string]func(namespace string) sample{
	"entra.yaml": func(string) sample {
		return sample{
			values:   map[string]string{"allowed-hosts: login.microsoftonline.com": "allowed-hosts: 127.0.0.1"},
			requests: map[string]token{"graph": ofContoso(graph)},
		}
	},
	"credentials/federated.yaml": func(namespace string) sample {
		const id = "44444444-5555-6666-7777-888888888888"
		return sample{
			clients: []stssim.Client{{Tenant: contoso, ID: id, Federated: []stssim.FederatedCredential{{
				Issuer: accounts.Issuer, Keys: accounts.Keys,
				Subject: account(namespace, "graph"), Audience: "api://AzureADTokenExchange",
			}}}},
			requests: map[string]token{"graph-without-secret": {
				tenant: contoso, client: id, method: "private_key_jwt", grant: clientCredentials, audience: graph,
			}},
		}
	},
	"credentials/private-key-jwt.yaml": func(string) sample {
		const id = "33333333-4444-5555-6666-777777777777"
		pair := certified("graph-cert", newRSAKey())
		return sample{
			elsewhere: []client.Object{pair},
			clients:   []stssim.Client{{Tenant: contoso, ID: id, Certificates: []string{string(pair.Data[corev1.TLSCertKey])}}},
			requests: map[string]token{"graph-by-certificate": {
				tenant: contoso, client: id, method: "private_key_jwt", grant: clientCredentials, audience: graph,
			}},
		}
	},
	"credentials/tls-client-auth.yaml": func(string) sample {
		pair := certified("orders-cert", newECKey())
		return sample{
			elsewhere: []client.Object{pair},
			clients:   []stssim.Client{{Tenant: shop, ID: "orders-mtls", Certificates: []string{string(pair.Data[corev1.TLSCertKey])}}},
			requests: map[string]token{"orders-by-mtls": {
				tenant: shop, client: "orders-mtls", method: "tls_client_auth", grant: clientCredentials,
				audience: sim.PlainIssuer(shop), scope: "orders.read",
			}},
		}
	},
	"grants/device-code.yaml": func(string) sample {
		const id = "55555555-6666-7777-8888-999999999999"
		adele := stssim.Person{Subject: "sub-of-adele", PreferredUsername: "adele@contoso.onmicrosoft.com"}
		return sample{
			clients: []stssim.Client{{Tenant: contoso, ID: id, Public: true, DeviceInterval: stssim.Duration(time.Second)}},
			requests: map[string]token{"teams": {
				tenant: contoso, client: id, method: "none", grant: deviceCode, subject: adele.Subject, audience: graph,
				scope: graph + "/Chat.Read openid profile", signsIn: &adele, store: "teams-refresh",
			}},
		}
	},
	"grants/jwt-bearer.yaml": func(namespace string) sample {
		return sample{
			clients: []stssim.Client{{Tenant: shop, ID: "reports", Public: true, TrustedIssuers: []stssim.TrustedIssuer{accounts}}},
			requests: map[string]token{"reports": {
				tenant: shop, client: "reports", method: "none", grant: jwtBearer,
				subject: account(namespace, "reports"), audience: sim.PlainIssuer(shop), scope: "orders.read",
			}},
		}
	},
	"grants/on-behalf-of.yaml": func(string) sample {
		asking := ofContoso(graph)
		asking.grant, asking.subject, asking.scope = jwtBearer, "sub-of-adele", graph+"/User.Read"
		return sample{
			values: map[string]string{
				"eyJ0b2tlbiI6Im9mIGEgdXNlciJ9": sim.SeedUserToken(contoso, contosoApp, stssim.Person{Subject: asking.subject}),
			},
			requests: map[string]token{"graph-for-the-user": asking},
		}
	},
	"grants/refresh-token.yaml": func(string) sample {
		seed := sim.SeedRefreshToken(shop, "mail", "sub-of-adele")
		return sample{
			clients: []stssim.Client{{Tenant: shop, ID: "mail", Public: true}},
			values:  map[string]string{"put-the-refresh-token-here": seed},
			requests: map[string]token{"mail": {
				tenant: shop, client: "mail", method: "none", grant: refreshToken,
				subject: "sub-of-adele", audience: sim.PlainIssuer(shop), scope: "mail.send", store: "mail-refresh", seed: seed,
			}},
		}
	},
	"grants/token-exchange.yaml": func(namespace string) sample {
		return sample{
			clients: []stssim.Client{{Tenant: shop, ID: "billing", Public: true, TrustedIssuers: []stssim.TrustedIssuer{accounts},
				Audiences: []string{"invoices"}, Scopes: []string{"invoices.read"}}},
			requests: map[string]token{"billing": {
				tenant: shop, client: "billing", method: "none", grant: tokenExchange,
				subject: account(namespace, "billing"), audience: "invoices", scope: "invoices.read",
			}},
		}
	},
	"issuers/cluster-token-issuer.yaml": func(string) sample {
		return sample{
			labels:   map[string]string{"example.com/graph": "allowed"},
			requests: map[string]token{"graph-of-all": ofContoso(graph)},
		}
	},
	"shapes/raw-token.yaml":            shaped("orders", key("token")),
	"shapes/authorization-header.yaml": shaped("orders-header", behind("authorization", "Bearer ")),
	"shapes/dockerconfigjson.yaml":     shaped("registry", dockerPassword),
	"shapes/git-basic-auth.yaml":       shaped("git", basicAuthPassword),
	"shapes/netrc.yaml":                shaped("netrc", netrcPassword),
	"shapes/git-credentials.yaml":      shaped("git-store", storedPassword),
	"shapes/argocd-repository.yaml":    shaped("argocd", argoRepositoryPassword),
	"shapes/flux-bearer-token.yaml":    shaped("flux", key("bearerToken")),
	"shapes/env-file.yaml":             shaped("env", environmentToken),
	"issuers/token-issuer.yaml": func(string) sample {
		return sample{requests: map[string]token{
			"graph-of-contoso":   ofContoso(graph),
			"storage-of-contoso": ofContoso("https://storage.azure.com"),
		}}
	},
}

// ofContoso is a token that the app with the client secret gets for itself.
func ofContoso(audience string) token {
	return token{tenant: contoso, client: contosoApp, method: "client_secret_post", grant: clientCredentials, audience: audience}
}

// account is the subject of a service account's tokens.
func account(namespace, name string) string { return "system:serviceaccount:" + namespace + ":" + name }
