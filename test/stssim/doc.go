// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package stssim is a security token service for tests and demonstrations: an
// HTTPS server on a loopback port that issues OAuth 2.0 access tokens, refuses
// requests in the words of real services, and misbehaves when told to.
//
// # Two services in one
//
// Paths in the shape of Microsoft Entra answer as Entra does, errors included:
//
//	POST /{tenant}/oauth2/v2.0/token
//	POST /{tenant}/oauth2/v2.0/devicecode
//	GET  /{tenant}/v2.0/.well-known/openid-configuration
//
// Paths below /plain answer as a server that knows RFC 6749 and RFC 8414 and
// nothing else:
//
//	POST /plain/{realm}/token
//	GET  /plain/{realm}/.well-known/openid-configuration
//	GET  /.well-known/oauth-authorization-server/plain/{realm}
//
// The grant is client_credentials. A client authenticates with a secret (in
// the body; below /plain in the Authorization header too) or with a client
// assertion: signed by a registered key, or of a registered federated issuer.
// The signature of a federated assertion isn't verified, for the simulator
// doesn't fetch the issuer's keys. The device code endpoint is there to be
// counted and scripted with rules; by itself it refuses every client with
// AADSTS7000218, as Entra does a client that isn't public.
//
// Issuers and endpoints in discovery documents follow the Host header, so that
// a Service name or a forwarded port needs no setting.
//
// # Who is registered
//
// [Options].Clients, or else [DemoClients]:
//
//	tenant                    client id                             secret                 answers
//	contoso.onmicrosoft.com   11111111-2222-3333-4444-555555555555  stssim-demo-secret     tokens for any resource
//	contoso.onmicrosoft.com   22222222-3333-4444-5555-666666666666  stssim-expired-secret  AADSTS7000222
//	acme                      demo                                  stssim-acme-secret     opaque tokens, scopes read and write
//
// A tenant exists when a client is registered in it, and a realm is a tenant
// reached by its plain path. A secret's ID sent in place of its value is
// answered as any wrong secret is: AADSTS7000215 says so for every one.
//
// # Faults
//
// A [Rule] is a [Match] and an [Action] with a budget. The first rule that acts
// on a call decides it. Some faults and how they are written, here in YAML:
//
//	429 in plain text           {status: 429, body: Too Many Requests, contentType: text/plain, retryAfter: "30"}
//	a date as Retry-After       {status: 503, retryAfterDate: 30s}
//	a claims challenge          {error: {error: interaction_required, codes: [50076], claims: '{"access_token":{}}'}}
//	the secret comes back       {error: {error: invalid_request, echo: true}}
//	an HTML page                {status: 200, contentType: text/html, body: <html></html>}
//	no object, or an empty one  {status: 200, body: "null"}
//	expires_in as text          {set: {expires_in: "3599"}}
//	no token_type               {drop: [token_type]}
//	early refresh               {set: {refresh_in: 1800}}
//	a short life                {lifetime: 10s}
//	a redirect                  {status: 302, headers: {Location: "https://elsewhere.example/"}}
//	another charset             {contentType: application/json; charset=utf-16}
//	half of the body            {truncate: true}
//	a body without end          {padding: 67108864}
//	a reset connection          {reset: true}
//	a slow or hanging service   {latency: 1h}
//	compressed, asked or not    {gzip: true}
//
// [Server.CloseConnections] ends connections before their TLS handshake.
// [Server.SetThrottle] closes a client's window until an instant and counts the
// calls that come too early.
//
// # Administration
//
// Everything that tests do in Go can be done over HTTP below /_admin/ on the
// same port, by callers from a loopback address only (a forwarded port of a pod
// is one). Bodies are JSON in the shape of the Go types; durations are strings
// such as "30s".
//
//	GET    /_admin/calls         filters: kind, path, tenant, client_id, scope, status, finished, after
//	GET    /_admin/counters
//	GET    /_admin/canaries      what may appear nowhere but in a Secret
//	GET    /_admin/rules         POST adds one, DELETE removes all
//	DELETE /_admin/rules/{name}
//	GET    /_admin/clients       PUT registers or replaces one
//	DELETE /_admin/clients/{tenant}/{clientID}
//	GET    /_admin/throttles     with the violations; POST sets one, DELETE removes all
//	POST   /_admin/connections   {"close": 3}
//	POST   /_admin/reset         forgets calls, rules, throttles and violations; keeps clients and canaries
//
// # Limits
//
// HTTP/1.1 alone is spoken, because over HTTP/2 a reset or a cut body would be
// a stream's and not a connection's. Calls and tokens are kept until the server
// is closed: leak tests need every one.
package stssim
