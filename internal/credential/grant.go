// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"slices"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/sts"
)

// trade reads what a grant trades for the token.
func (p place) trade(ctx context.Context, c *Credential, grant *stsv1alpha1.Grant) (*Problem, error) {
	switch {
	case grant == nil:
		return nil, nil
	case grant.OnBehalfOf != nil:
		c.Grant = sts.Grant{Type: sts.GrantJWTBearer, OnBehalfOf: true}
		return p.token(ctx, c, grant.OnBehalfOf.Assertion, "spec.grant.onBehalfOf.assertion", assertion)
	case grant.JWTBearer != nil:
		c.Grant = sts.Grant{Type: sts.GrantJWTBearer}
		return p.token(ctx, c, grant.JWTBearer.Assertion, "spec.grant.jwtBearer.assertion", assertion)
	case grant.TokenExchange != nil:
		return p.exchange(ctx, c, grant.TokenExchange)
	case grant.RefreshToken != nil:
		c.Grant = sts.Grant{Type: sts.GrantRefreshToken}
		return p.seed(ctx, c, grant.RefreshToken.TokenRef)
	case grant.DeviceCode != nil:
		c.Grant = sts.Grant{Type: sts.GrantDeviceCode}
	}
	return nil, nil
}

func (p place) exchange(ctx context.Context, c *Credential, grant *stsv1alpha1.TokenExchangeGrant) (*Problem, error) {
	c.Grant = sts.Grant{
		Type:               sts.GrantTokenExchange,
		SubjectTokenType:   string(grant.SubjectTokenType),
		ActorTokenType:     string(grant.ActorTokenType),
		RequestedTokenType: string(grant.RequestedTokenType),
		Audiences:          slices.Clone(grant.Audiences),
	}
	problem, err := p.token(ctx, c, grant.SubjectToken, "spec.grant.tokenExchange.subjectToken", subjectToken)
	if problem != nil || err != nil || grant.ActorToken == nil {
		return problem, err
	}
	return p.token(ctx, c, *grant.ActorToken, "spec.grant.tokenExchange.actorToken", actorToken)
}

func assertion(c *Credential) *sts.Sensitive    { return &c.Grant.Assertion }
func subjectToken(c *Credential) *sts.Sensitive { return &c.Grant.SubjectToken }
func actorToken(c *Credential) *sts.Sensitive   { return &c.Grant.ActorToken }

// token reads a token that is traded, or notes whose is to be minted. The field names it in the spec.
func (p place) token(ctx context.Context, c *Credential, source stsv1alpha1.TokenSource, field string, into func(*Credential) *sts.Sensitive) (*Problem, error) {
	switch {
	case source.SecretRef != nil:
		value, problem, err := p.sent(ctx, c, *source.SecretRef)
		if problem != nil || err != nil {
			return problem, err
		}
		*into(c) = sts.Sensitive(value)
		from := p.describe(*source.SecretRef)
		c.trades(from)
		return p.expired(from, value), nil
	case source.ServiceAccount != nil:
		a, problem, err := p.account(ctx, source.ServiceAccount.Name, source.ServiceAccount.Audience, field+".serviceAccount.audience")
		if problem != nil || err != nil {
			return problem, err
		}
		c.mintings = append(c.mintings, minting{of: a, into: into})
		c.trades(a.String())
	}
	return nil, nil
}

// seed reads the first refresh token. Nobody looks whether it has expired: it is opaque to clients
// (RFC 6749 section 1.5), and one that was rotated long ago has gone out of use, not out of date.
func (p place) seed(ctx context.Context, c *Credential, ref stsv1alpha1.SecretKeyRef) (*Problem, error) {
	value, problem, err := p.sent(ctx, c, ref)
	if problem != nil || err != nil {
		return problem, err
	}
	c.Grant.RefreshToken = sts.Sensitive(value)
	c.trades(p.describe(ref))
	return nil, nil
}

// trades adds a source to what the grant trades; an STS that refuses an exchange needn't say whether it
// means the subject's token or the actor's.
func (c *Credential) trades(from string) {
	if c.GrantDescription != "" {
		from = c.GrantDescription + " and " + from
	}
	c.GrantDescription = from
}

// expired says that a token has, as far as it says so itself, or nothing. There is no leeway: whoever
// takes it must not after that instant (RFC 7519 section 4.1.4), and a token whose last second is
// disputed is of no use to anybody.
func (p place) expired(from, token string) *Problem {
	claims, ok := readClaims(token)
	if !ok || !claims.expired(p.now()) {
		return nil
	}
	return problem(stsv1alpha1.ReasonAssertionExpired,
		"The token in %s has expired. Put a new one there; the request goes on by itself.", from)
}
