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
// Paths below /plain answer as a server that knows RFC 6749, RFC 7523, RFC 8414,
// RFC 8628, RFC 8693 and RFC 8705 and nothing else:
//
//	POST /plain/{realm}/token
//	POST /plain/{realm}/mtls/token
//	POST /plain/{realm}/device
//	GET  /plain/{realm}/.well-known/openid-configuration
//	GET  /.well-known/oauth-authorization-server/plain/{realm}
//
// # Grants
//
//	grant                with Entra                        below /plain
//	client_credentials   one resource's /.default          any scopes
//	refresh_token        old tokens stay valid             each token is good for once
//	jwt-bearer           RFC 7523, and on behalf of        RFC 7523
//	token-exchange       AADSTS70003                       yes
//	device_code          public clients                    all clients
//
// A refresh or ID token comes along where a person is at hand and the scope has
// offline_access or openid. People sign in by [Server.ApproveDevice], or did so
// before the test: [Server.SeedRefreshToken], [Server.SeedUserToken].
//
// # Credentials
//
// A client authenticates with a secret (in the body; below /plain in the
// Authorization header too), with a client assertion, or below /plain with a
// certificate in TLS. Which certificates are asked for doesn't depend on the
// path, but at /plain/{realm}/token they aren't looked at: mtls_endpoint_aliases
// names the endpoint for them.
//
// An assertion that the client signed is RS256, PS256 or ES256, names a
// registered certificate by x5t#S256, is for the token endpoint, the issuer or
// the endpoint called and nobody else, ends within 24 hours, and is good for
// once. Entra isn't known to refuse replays; here they are AADSTS50027, since an
// operator has no reason to send one. Nor does the simulator take x5t, the SHA-1
// that Entra still knows. Assertions of a federated issuer may come again; their
// signature is verified when [FederatedCredential] has keys.
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
//	GET    /_admin/devices       user codes and their states
//	POST   /_admin/devices/approve  {"userCode": "BCDF-GHJK", "subject": "alice"}
//	POST   /_admin/devices/deny     {"userCode": "BCDF-GHJK"}
//	POST   /_admin/refreshtokens    {"tenant": ..., "clientID": ..., "subject": ...} answers with one
//	POST   /_admin/usertokens       likewise
//	POST   /_admin/reset         forgets calls, rules, throttles, violations and device codes; keeps
//	                             clients, refresh tokens and canaries
//
// # Limits
//
// HTTP/1.1 alone is spoken, because over HTTP/2 a reset or a cut body would be
// a stream's and not a connection's. Calls and tokens are kept until the server
// is closed: leak tests need every one.
package stssim
