// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// SigningKey is how a client signs its assertions (RFC 7523 section 2.2).
type SigningKey struct {
	// Pair must not be nil.
	Pair *KeyPair
	// Algorithm is RS256, PS256 or ES256; empty means PS256 for an RSA key and
	// ES256 for one on P-256.
	Algorithm string
	// KeyID is the kid header; empty sends none.
	KeyID string
	// SendChain puts the certificates into the x5c header, leaf first.
	SendChain bool
	// Audience is the aud claim; empty means the endpoint that is called.
	Audience string
}

const (
	// assertionLifetime is that of Microsoft's libraries. RFC 7523 section 3
	// leaves servers free to refuse what lasts much longer.
	assertionLifetime = 10 * time.Minute
	// minRSA is the least that RFC 7518 sections 3.3 and 3.5 allow.
	minRSA = 2048
)

// Check returns why the key can't sign by its algorithm, and nil when it can.
func (k SigningKey) Check() error {
	_, err := k.method()
	return err
}

// method returns the algorithm, when key and algorithm fit.
func (k SigningKey) method() (jwt.SigningMethod, error) {
	if k.Pair == nil {
		return nil, errors.New("there is no key to sign with")
	}
	switch key := k.Pair.signer.Public().(type) {
	case *rsa.PublicKey:
		return k.rsaMethod(key)
	case *ecdsa.PublicKey:
		return k.ecdsaMethod(key)
	default:
		return nil, errors.New("the private key is neither of RSA nor of ECDSA, and no algorithm signs with it")
	}
}

func (k SigningKey) rsaMethod(key *rsa.PublicKey) (jwt.SigningMethod, error) {
	if key.N.BitLen() < minRSA {
		return nil, errors.New("the RSA key has less than 2048 bits")
	}
	switch k.Algorithm {
	case "", "PS256":
		return jwt.SigningMethodPS256, nil
	case "RS256":
		return jwt.SigningMethodRS256, nil
	case "ES256":
		return nil, errors.New("the algorithm ES256 needs a key on P-256, and this one is of RSA")
	default:
		return nil, errAlgorithm
	}
}

func (k SigningKey) ecdsaMethod(key *ecdsa.PublicKey) (jwt.SigningMethod, error) {
	switch k.Algorithm {
	case "", "ES256":
		if key.Curve != elliptic.P256() {
			return nil, errors.New("the algorithm ES256 needs a key on P-256, and this one is on another curve")
		}
		return jwt.SigningMethodES256, nil
	case "RS256", "PS256":
		return nil, errors.New("the algorithms RS256 and PS256 need a key of RSA, and this one is of ECDSA")
	default:
		return nil, errAlgorithm
	}
}

var errAlgorithm = errors.New("the algorithm is not RS256, PS256 or ES256")

// assert returns a client assertion (RFC 7523 section 3). It dates itself in
// numbers, and the thumbprint is base64url without padding (RFC 7515 section
// 4.1.8); some libraries get one or the other wrong, and Entra is patient with
// them alone.
func (k SigningKey) assert(clientID, endpoint, id string, now time.Time) (Sensitive, error) {
	method, err := k.method()
	if err != nil {
		return "", err
	}
	audience := k.Audience
	if audience == "" {
		audience = endpoint
	}
	token := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": clientID,
		"sub": clientID,
		"aud": audience,
		"jti": id,
		"iat": now.Unix(),
		"nbf": now.Unix(),
		"exp": now.Add(assertionLifetime).Unix(),
	})
	k.describe(token.Header)
	signed, err := token.SignedString(k.Pair.signer)
	if err != nil {
		return "", errors.New("the private key did not sign the client assertion") // err may quote it
	}
	return Sensitive(signed), nil
}

// describe adds what lets the server find the key.
func (k SigningKey) describe(header map[string]any) {
	thumbprint := k.Pair.thumbprint()
	header["x5t#S256"] = base64.RawURLEncoding.EncodeToString(thumbprint[:])
	if k.KeyID != "" {
		header["kid"] = k.KeyID
	}
	if !k.SendChain {
		return
	}
	var certificates []string // in base64, not base64url: RFC 7515 section 4.1.6
	for _, certificate := range k.Pair.chain {
		certificates = append(certificates, base64.StdEncoding.EncodeToString(certificate))
	}
	header["x5c"] = certificates
}
