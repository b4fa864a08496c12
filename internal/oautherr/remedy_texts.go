// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

// Remedies that several errors share. A remedy is one sentence that says what a
// person does now; the names in braces are those of Subject.fill.
const (
	signInAgain = "Have the user sign in again and renew {kept}."
	meetClaims  = "Copy the claims challenge from status.lastError.claims to spec.claims of {request}, and have the user sign in again."
	newClaims   = "Copy the claims challenge from status.lastError.claims to spec.claims of {request}, and sign in with the user code it then shows."
	tryClaims   = "Copy the claims challenge from status.lastError.claims to spec.claims of {request}; where that does not help, have an administrator of {tenant} exempt {client} from the policy that asks for it."
	wantsUser   = "Have an administrator of {tenant} exempt {client} from the policy that wants to see a user, or give {request} a grant in which one signs in: its present one has none."
	newCode     = "Annotate {request} with a new value of sts.tokenrequest.dev/refresh-requested-at and sign in with the user code it then shows."
	enterCode   = "Sign in with the user code that status.deviceAuthorization of {request} shows."

	waitForService = "Nothing has to be changed: the operator asks again, less and less often; where this lasts, ask those who run {host}."
	waitForLimit   = "Nothing has to be changed: the operator asks again no earlier than allowed; where this recurs, look for who else asks as this client, or have its limit raised."
	askAgain       = "Nothing has to be changed: the operator asks {host} again."

	matchIssuer       = "Set the authority of {issuer} to the issuer that the metadata of {host} names, byte for byte; where that is somebody else's, find out who answers at {host}."
	correctEndpoint   = "Correct the authority or tokenEndpoint of {issuer}: {host} has no token endpoint and no metadata at {authority}; a server without metadata needs a tokenEndpoint."
	checkAnswerer     = "Check with an HTTP client from inside the cluster who answers at {authority}: the token service, or a proxy, firewall or sign-in page in its place."
	mendAnswer        = "Ask those who run {host} to mend its answer; where {authority} is no token service, correct {issuer}."
	authenticate      = "Check that {credential} holds the present credential of {client}; where it does, check who answers at {authority}: the token service, or a proxy or sign-in page in its place."
	findDevice        = "Find out who answers at {authority}: it speaks of a sign-in with a user code, and {request} began none."
	ownGrant          = "Give {request} a token that was issued to {client}: the one that it presents belongs to another client."
	nameTarget        = "Set the authority or tokenEndpoint of {issuer} to the address that {host} redirects to, after checking that its owner may see the credential."
	authenticateProxy = "Name the proxy's credentials in the operator's HTTPS_PROXY, or exempt {host} in its NO_PROXY, or give {issuer} a proxyURL that asks for none."
	shortenRequest    = "Ask for fewer scopes or shorten the assertion of {request}: {host}, or a proxy before it, takes no request of this size."
	permitEndpoint    = "Correct the authority, tokenEndpoint or proxyURL of {issuer}, or have the operator's administrator permit calls there."

	reportBug    = "Report a bug in the operator with the ids of status.lastError: {host} does not accept the request that it built for {client}."
	askReference = "Look the error up in the documentation of {host}, which uses it outside RFC 6749, and change {request} or the registration of {client} accordingly."
	trustClient  = "Have {host} trust tokens with {assertion} for {client}, character by character, case included."
	// replaceTraded is for what no user stands behind, or nobody knows whether one does.
	replaceTraded = "Replace what {request} trades for its token, which comes from {traded}, or have {host} trust it."
	permitGrant   = "Have an administrator of {tenant} consent to what {client} asks for, or exempt it from the policy that forbids it."
	tenantNeeded  = "Put the tenant's ID or domain into the authority of {issuer}, which is {authority}."
)
