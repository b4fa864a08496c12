// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"tokenrequest.dev/operator/test/stssim"
)

// canaries are the secrets of one path, each of them like no other text in the world.
type canaries struct {
	// secret is the client's secret.
	secret string
	// other is a secret that has nothing to do with the client.
	other string
	// token, refresh and id are what a token response may hold: an opaque text and two JWTs.
	token, refresh, id string
	// assertion is a JWT that proves who somebody is.
	assertion string
	// actor is the token of somebody who acts for another, seed a refresh token that was there before,
	// device a device code, key a line of a private key.
	actor, seed, device, key string
	// person are the names of somebody who signs in: sub, oid and preferred_username.
	person stssim.Person
}

// named are the canaries by names that may be printed.
func (c canaries) named(path string) map[string]string {
	return map[string]string{
		path + ": the client secret": c.secret,
		path + ": another secret":    c.other,
		path + ": the token":         c.token,
		path + ": the refresh token": c.refresh,
		path + ": the ID token":      c.id,
		path + ": the assertion":     c.assertion,

		path + ": the actor's token":     c.actor,
		path + ": the seed":              c.seed,
		path + ": the device code":       c.device,
		path + ": the private key":       c.key,
		path + ": the person's sub":      c.person.Subject,
		path + ": the person's oid":      c.person.ObjectID,
		path + ": the person's username": c.person.PreferredUsername,
	}
}

// canariesOf makes those of a path, the same in every run. The secret is of a shape that the place to
// which the path carries it takes.
func canariesOf(path string, secret shape) canaries {
	person := stssim.Person{Subject: word(path + " sub"), ObjectID: word(path + " oid"), PreferredUsername: word(path+" username") + "@p.test"}
	return canaries{
		secret:    secret(path + " secret"),
		other:     spiced(path + " other"),
		token:     word(path + " token"),
		refresh:   jwtShaped(path + " refresh"),
		id:        jwtOf(path+" id", person),
		assertion: jwtOf(path+" assertion", person),
		actor:     jwtShaped(path + " actor"),
		seed:      spiced(path + " seed"),
		device:    word(path + " device"),
		key:       base64.StdEncoding.EncodeToString(hash(path + " key")),
		person:    person,
	}
}

// jwtOf has claims that name somebody, and no end. It is written as no token of the
// simulator's is, so that the two have no twelve characters in common.
func jwtOf(seed string, who stssim.Person) string {
	segment := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	claims := must(json.MarshalIndent(map[string]string{
		"jti": word(seed), "sub": who.Subject, "oid": who.ObjectID, "preferred_username": who.PreferredUsername,
	}, "", "\t"))
	return segment(`{"kid":"`+word(seed+" kid")+`"}`) + "." + segment(string(claims)) + "." + segment(word(seed+" signature"))
}

// shape makes a canary out of a seed.
type shape func(seed string) string

// word is of letters and digits, as identifiers are.
func word(seed string) string { return hex.EncodeToString(hash(seed)[:16]) }

// digits are 24 of them.
func digits(seed string) string {
	return fmt.Sprintf("%024d", new(big.Int).SetBytes(hash(seed)[:9]))
}

// spiced has each of the characters that encodings treat in their own ways, far enough apart for no
// two canaries to have twelve characters in common, however they are encoded.
func spiced(seed string) string {
	text := base64.RawURLEncoding.EncodeToString(slices.Concat(hash(seed), hash(seed+" more")))
	var b strings.Builder
	for i, sign := range []byte(`/+&=%<"'>`) {
		b.WriteString(text[i*8 : i*8+8])
		b.WriteByte(sign)
	}
	return b.String() + text[72:80]
}

// jwtShaped has the three segments of a JWT, and nothing that another has too.
func jwtShaped(seed string) string {
	segment := func(part string) string { return base64.RawURLEncoding.EncodeToString(hash(seed + part)) }
	return "eyJ" + segment(" header") + ".eyJ" + segment(" claims") + "." + segment(" signature")
}

func hash(seed string) []byte {
	sum := sha256.Sum256([]byte(seed))
	return sum[:]
}
