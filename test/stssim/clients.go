// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Client is an application that may ask for tokens.
type Client struct {
	// Tenant is the directory that knows the client, or the realm of the plain
	// paths. It exists from the registration on.
	Tenant string `json:"tenant"`
	// ID is the client_id.
	ID string `json:"clientID"`
	// Secrets are all valid until they expire, as while one is rotated.
	Secrets []Secret `json:"secrets,omitempty"`
	// Public clients have no credential; one that presents a credential all the
	// same is refused.
	Public bool `json:"public,omitempty"`
	// Keys verify client assertions which the client signed itself. Each text is a
	// PEM certificate or public key, or a JWK set. An assertion names a certificate
	// in its x5t#S256 header.
	Keys []string `json:"keys,omitempty"`
	// Certificates, in PEM, verify client assertions as those in Keys do, and are
	// what the client may present in TLS below /plain. If CA certificates follow
	// the first, any of the same subject that one of them signed may be presented.
	Certificates []string `json:"certificates,omitempty"`
	// Federated are the foreign issuers whose assertions stand for the client.
	Federated []FederatedCredential `json:"federated,omitempty"`
	// Scopes that may be asked for; empty allows any. With Entra these end in
	// "/.default" and one that isn't listed is an unknown resource.
	Scopes []string `json:"scopes,omitempty"`
	// Lifetime of its tokens, in whole seconds; zero is the service's own: 3599 s
	// with Entra, 3600 s below /plain.
	Lifetime Duration `json:"lifetime,omitempty"`
	// Opaque makes its tokens random text in place of JWTs.
	Opaque bool `json:"opaque,omitempty"`

	// TrustedIssuers are whose JWTs it may trade for a token: as the assertion of
	// a JWT bearer grant, and below /plain as subject or actor token.
	TrustedIssuers []TrustedIssuer `json:"trustedIssuers,omitempty"`
	// UserAssertions are texts that count as a person's tokens for this client
	// with Entra's on-behalf-of flow, and below /plain as subject or actor tokens.
	UserAssertions []string `json:"userAssertions,omitempty"`
	// Audiences are what it may name as audience or resource in a token exchange;
	// empty allows any. With Entra they are, besides its ID, what a token traded
	// on behalf of a person may be for.
	Audiences []string `json:"audiences,omitempty"`
	// RefreshRotation is RotationStrict or RotationLenient; empty is the service's
	// own: lenient with Entra, strict below /plain.
	RefreshRotation string `json:"refreshRotation,omitempty"`
	// RefreshLifetime is how long its refresh tokens live; zero is 90 days.
	RefreshLifetime Duration `json:"refreshLifetime,omitempty"`
	// DeviceInterval and DeviceLifetime are what device authorization responses
	// say, in whole seconds; zero is 5 s and 15 min.
	DeviceInterval Duration `json:"deviceInterval,omitempty"`
	DeviceLifetime Duration `json:"deviceLifetime,omitempty"`
}

// TrustedIssuer is an issuer of JWTs, known by its iss claim as it stands.
type TrustedIssuer struct {
	Issuer string `json:"issuer"`
	// Keys verify its signatures. They are written as Client.Keys.
	Keys []string `json:"keys"`
}

// Secret is one client secret.
type Secret struct {
	// Value is what a client sends.
	Value string `json:"value"`
	// ExpiresAt is the first instant at which it is refused; zero never comes.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}

// FederatedCredential trusts assertions of another issuer. Issuer, subject and
// audience are compared as they stand, upper and lower case included, as Entra
// does.
type FederatedCredential struct {
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	Audience string `json:"audience"`
	// Keys verify the issuer's signatures, which none leaves unverified. They are
	// written as Client.Keys; an API server's are at its path /openid/v1/jwks.
	Keys []string `json:"keys,omitempty"`
}

// DemoClients are the registrations that the package comment lists.
func DemoClients() []Client {
	return []Client{
		{
			Tenant:  "contoso.onmicrosoft.com",
			ID:      "11111111-2222-3333-4444-555555555555",
			Secrets: []Secret{{Value: "stssim-demo-secret"}},
		},
		{
			Tenant: "contoso.onmicrosoft.com",
			ID:     "22222222-3333-4444-5555-666666666666",
			Secrets: []Secret{{
				Value:     "stssim-expired-secret",
				ExpiresAt: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
			}},
		},
		{
			Tenant:  "acme",
			ID:      "demo",
			Secrets: []Secret{{Value: "stssim-acme-secret"}},
			Scopes:  []string{"read", "write"},
			Opaque:  true,
		},
	}
}

// PutClient registers a client, or replaces the one with its tenant and ID.
func (s *Server) PutClient(client Client) error { return s.clients.put(client) }

// RemoveClient forgets a client; false means that there was none. A tenant
// without clients doesn't exist.
func (s *Server) RemoveClient(tenant, id string) bool { return s.clients.remove(tenant, id) }

// Clients lists the registrations with their secrets, by tenant and ID.
func (s *Server) Clients() []Client { return s.clients.list() }

// registered is a client with its keys parsed.
type registered struct {
	Client
	verifiers    []verifier // of its own assertions
	certificates []verifier // for TLS
	federated    []federation
	trusted      []trust
	seen         *replays
}

type federation struct {
	FederatedCredential
	verifiers []verifier
}

type trust struct {
	issuer    string
	verifiers []verifier
}

// clientKey compares tenants and IDs without regard to case, as domains and
// GUIDs are compared.
type clientKey struct{ tenant, id string }

func keyOf(tenant, id string) clientKey {
	return clientKey{strings.ToLower(tenant), strings.ToLower(id)}
}

type registry struct {
	mu      sync.Mutex
	clients map[clientKey]registered
	seen    *replays
}

func newRegistry() *registry {
	return &registry{clients: map[clientKey]registered{}, seen: newReplays()}
}

func (r *registry) put(client Client) error {
	if client.Tenant == "" || client.ID == "" {
		return errors.New("registering client: tenant and clientID are required")
	}
	entry, err := parseClient(client)
	if err != nil {
		return fmt.Errorf("registering client %q: %w", client.ID, err)
	}
	entry.seen = r.seen
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clients[keyOf(client.Tenant, client.ID)] = entry
	return nil
}

func parseClient(client Client) (registered, error) {
	entry := registered{Client: client}
	if !slices.Contains([]string{"", RotationStrict, RotationLenient}, client.RefreshRotation) {
		return registered{}, fmt.Errorf("unknown refresh rotation %q", client.RefreshRotation)
	}
	if min(client.RefreshLifetime, client.DeviceInterval, client.DeviceLifetime) < 0 {
		return registered{}, errors.New("lifetimes of refresh tokens and device codes must not be negative")
	}
	keys, err := parseVerifiers(client.Keys)
	if err != nil {
		return registered{}, err
	}
	if entry.certificates, err = parseCertificates(client.Certificates); err != nil {
		return registered{}, err
	}
	entry.verifiers = slices.Concat(keys, entry.certificates)
	for _, credential := range client.Federated {
		verifiers, err := parseVerifiers(credential.Keys)
		if err != nil {
			return registered{}, err
		}
		entry.federated = append(entry.federated, federation{credential, verifiers})
	}
	for _, issuer := range client.TrustedIssuers {
		verifiers, err := parseVerifiers(issuer.Keys)
		if err != nil {
			return registered{}, err
		}
		entry.trusted = append(entry.trusted, trust{issuer.Issuer, verifiers})
	}
	return entry, nil
}

func parseCertificates(texts []string) ([]verifier, error) {
	certificates, err := parseVerifiers(texts)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(certificates, func(v verifier) bool { return v.certificate == nil }) {
		return nil, errors.New("reading certificate: a public key is none")
	}
	return certificates, nil
}

func (r *registry) remove(tenant, id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := keyOf(tenant, id)
	_, found := r.clients[key]
	delete(r.clients, key)
	return found
}

func (r *registry) find(tenant, id string) (registered, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry, found := r.clients[keyOf(tenant, id)]
	return entry, found
}

func (r *registry) tenantExists(tenant string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.clients {
		if key.tenant == strings.ToLower(tenant) {
			return true
		}
	}
	return false
}

func (r *registry) list() []Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Client
	for _, entry := range r.clients {
		list = append(list, entry.Client)
	}
	slices.SortFunc(list, func(a, b Client) int {
		return strings.Compare(a.Tenant+" "+a.ID, b.Tenant+" "+b.ID)
	})
	return list
}

func (r *registry) secrets() []string {
	var values []string
	for _, client := range r.list() {
		for _, secret := range client.Secrets {
			values = append(values, secret.Value)
		}
		values = append(values, client.UserAssertions...)
	}
	return values
}

// authenticate checks what the request presents for the client. The refusal is
// in Entra's terms; RFC 6749 has one word for all of them.
func (c registered) authenticate(req *request, now time.Time) *refusal {
	switch {
	case c.Public:
		return checkPublic(req)
	case req.assertion != "":
		return c.checkAssertion(req, now)
	case req.secret != "":
		return c.checkSecret(req.secret, now)
	case req.certificate != nil:
		return c.checkCertificate(req.certificate, now)
	default:
		return missingCredential()
	}
}

func missingCredential() *refusal {
	return refuseClient(7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
}

// checkPublic refuses a public client what is for confidential ones: to present
// a credential, and the grants that trade nothing but one.
func checkPublic(req *request) *refusal {
	switch {
	case req.secret != "" || req.assertion != "":
		return refuseClient(700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.")
	case req.grantType() == grantClientCredentials:
		return refuseClient(7000216, "'client_assertion', 'client_secret' or 'client_request' is required for the 'client_credentials' grant type.")
	case req.isOnBehalfOf():
		return missingCredential()
	default:
		return nil
	}
}

// checkCertificate is RFC 8705, section 2. Entra's words are for an assertion's
// certificate, but nobody reads them: only the plain paths come here.
func (c registered) checkCertificate(presented *x509.Certificate, now time.Time) *refusal {
	if now.Before(presented.NotBefore) || now.After(presented.NotAfter) {
		return badSignature("The key used is expired.")
	}
	if !slices.ContainsFunc(c.certificates, func(v verifier) bool { return v.admits(presented) }) {
		return badSignature("The key was not found.")
	}
	return nil
}

func (c registered) checkSecret(presented string, now time.Time) *refusal {
	expired := false
	for _, secret := range c.Secrets {
		if subtle.ConstantTimeCompare([]byte(secret.Value), []byte(presented)) != 1 {
			continue
		}
		if secret.ExpiresAt.IsZero() || now.Before(secret.ExpiresAt) {
			return nil
		}
		expired = true
	}
	if expired {
		return refuseClient(7000222, "The provided client secret keys for app '"+c.ID+"' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.")
	}
	return refuseClient(7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '"+c.ID+"'.")
}
