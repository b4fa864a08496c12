// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

// The numbers are those of Microsoft's page "Microsoft Entra authentication and
// authorization error codes" (learn.microsoft.com, entra/identity-platform/
// reference-error-codes); the few that it lacks were seen in public issues. Ask
// https://login.microsoftonline.com/error?code=N for Entra's own words.
//
// propagating marks refusals that end by themselves some minutes after the
// administrator's change: 4 to 18 s were seen for secrets
// (microsoft-graph-docs#17966), and Microsoft says "several minutes" for
// federated credentials.
const propagating = true

// aadstsClient are about how the client authenticates: secrets, certificates,
// assertions, federated credentials.
var aadstsClient = []aadstsRow{
	{[]int64{7000215}, Credential, propagating,
		"the client secret is wrong, often the secret's ID in place of its value",
		"Store the value of a client secret of {client}, not its ID, in {credential}; a secret created within the last minute may still be on its way."},
	{[]int64{7000222}, Credential, false,
		"the client secret has expired",
		"Create a new secret for {client} and store its value in {credential}, or change to a federated credential, which does not expire."},
	{[]int64{7000218}, Credential, false,
		"the request carried neither a client secret nor a client assertion",
		"Give {issuer} a credential for {client}, or allow public client flows in the app registration."},
	{[]int64{7000216}, Credential, false,
		"client credentials need a client secret or a client assertion",
		"Give {issuer} a credential for {client}."},
	{[]int64{70002}, Credential, false,
		"the client's credential does not match the registered one",
		"Store the present credential of {client} in {credential}."},
	{[]int64{700027}, Credential, propagating,
		"the signature of the client assertion was not accepted, because its key is not registered",
		"Upload the certificate in {credential} to the app registration of {client}; a certificate chain begins with the leaf."},
	{[]int64{700024}, Credential, false,
		"the client assertion is outside its validity",
		"Check the clock of the node that the operator runs on and, for a service account token, that of the API server; each attempt mints a new assertion for {client}."},
	{[]int64{700021}, Credential, false,
		"the client assertion names another client",
		"Set clientID of {issuer} to the client that the assertion of {credential} is for, instead of {client}."},
	{[]int64{700025}, Configuration, false,
		"a public client presented a credential",
		"Remove the credential from {issuer}, or register {client} as a confidential client."},
	{[]int64{700030}, Credential, false,
		"the certificate's subject or issuer is not authorized for the application",
		"Register the subject and issuer of the certificate in {credential} as trusted in the app registration of {client}."},
	{[]int64{50012}, Credential, false,
		"authentication with the certificate or assertion did not succeed",
		"Check that the certificate in {credential} is registered for {client}, has not expired and satisfies the tenant's certificate policy."},
	{[]int64{50013}, Credential, false,
		"the assertion is not valid",
		"Replace the assertion that {request} presents with one that {host} issued or trusts and that has not expired."},
	{[]int64{500133}, Credential, false,
		"the user's assertion has expired",
		"Put a fresh user token into the assertion that {request} presents."},
	{[]int64{500131}, Configuration, false,
		"the assertion's audience is another application",
		"Present an assertion whose audience is {client} in {request}."},
	{[]int64{50027}, Credential, false,
		"the JWT is malformed or has a wrong issuer or audience",
		"Replace the token that {request} presents with a JWT that is issued by the tenant of {tenant} for {client}."},
	{[]int64{50048}, Credential, false,
		"the subject of the client assertion differs from its issuer",
		"Set clientID of {issuer} to the client that the key in {credential} belongs to: subject and issuer of the assertion must both be it."},
	{[]int64{50006, 900384}, Credential, false,
		"the signature does not match the registered key",
		"Store the private key that belongs to the registered certificate of {client} in {credential}."},
	{[]int64{500181}, Credential, false,
		"a token that is bound to a TLS certificate came with another certificate",
		"Let {request} acquire a new token with the present certificate in {credential}."},
	{[]int64{70021}, Credential, propagating,
		"no federated credential of the application matches the service account token",
		"Give the app registration of {client} a federated credential with exactly {assertion}; a new one takes some minutes to work."},
	{[]int64{700211}, Credential, propagating,
		"no federated credential of the application has this issuer",
		"Correct the issuer of the federated credential of {client}, which must have exactly {assertion}, a final slash included; a new one takes some minutes to work."},
	{[]int64{700212}, Credential, propagating,
		"no federated credential of the application has this audience",
		"Correct the audience of the federated credential of {client}, which must have exactly {assertion}, or name its audience in the credential of {issuer}; a new one takes some minutes to work."},
	{[]int64{700213, 7002131, 7002138}, Credential, propagating,
		"no federated credential of the application has this subject, compared case-sensitively",
		"Correct the subject of the federated credential of {client}, which must have exactly {assertion}, case included; a new one takes some minutes to work."},
	{[]int64{7000272}, Credential, propagating,
		"none of the keys that the issuer of the federated assertion publishes has signed it",
		"Have the issuer of the tokens of {credential} publish the key that it signs with, or correct the federated credential of the application, which must have exactly {assertion}."},
	{[]int64{700222}, Configuration, false,
		"a token that Entra issued cannot serve as federated credential",
		"Federate {client} with the cluster's own OIDC issuer instead of a token that Entra issued."},
	{[]int64{700226}, Configuration, false,
		"of the tokens that Entra issues only those of managed identities may serve as federated credential",
		"Federate {client} with a managed identity or with the cluster's own OIDC issuer."},
	{[]int64{700229}, Configuration, false,
		"the federated token must be one of an application",
		"Present a token that was issued to an application, not to a user, as the credential of {client}."},
}
