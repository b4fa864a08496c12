// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package sts asks one OAuth 2.0 token service (STS) for one token.
//
// [Client.Token] makes one POST to a token endpoint, [Client.Authorize] one to a
// device authorization endpoint, and [Client.Discover] finds both. Whatever a
// server, a proxy or a network does to a call comes back as one
// *[oautherr.Error]; this package reads the bytes, never the HTTP status.
//
// Who configures an endpoint isn't trusted with the operator's network, and who
// answers at one isn't trusted at all. So calls go over TLS, to hosts that the
// operator's administrator allows and to addresses that are checked after they
// are resolved; no redirect is followed; every answer is bounded in size and in
// time; a token response is read member by member and its text ends in no
// error. A [Sensitive] value and a [KeyPair] print as "[redacted]".
//
// Retrying is the caller's business, with one exception: a connection that
// failed before the request went out is tried once more at once.
package sts
