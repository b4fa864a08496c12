// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"encoding/base64"
	"strings"
	"unicode"
)

// Identity is who signed in, as the id_token says. Its signature isn't checked:
// it came over TLS from the token endpoint itself (OpenID Connect Core 1.0
// section 3.1.3.7). It prints nothing, since names of people are nobody's
// business in a log.
type Identity struct {
	Subject, ObjectID, PreferredUsername Sensitive
}

// Is reports that one of the names is the given one, exactly.
func (i *Identity) Is(name string) bool {
	return i != nil && name != "" &&
		(i.Subject.Reveal() == name || i.ObjectID.Reveal() == name || i.PreferredUsername.Reveal() == name)
}

// maxName bounds each of the names. OpenID Connect has 255 characters for a sub
// (Core 1.0 section 2); a preferred_username may be an email address.
const maxName = 1 << 10

// readIdentity returns what an id_token says, and nil when it isn't a JWT or
// names nobody. A name that isn't one line of text counts as absent.
func readIdentity(idToken string) *Identity {
	segments := strings.Split(idToken, ".")
	if len(segments) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(segments[1])
	if err != nil {
		return nil
	}
	claims, err := readObject(payload, "sub", "oid", "preferred_username")
	if err != nil {
		return nil
	}
	who := Identity{
		Subject:           claims.name("sub"),
		ObjectID:          claims.name("oid"),
		PreferredUsername: claims.name("preferred_username"),
	}
	if who == (Identity{}) {
		return nil
	}
	return &who
}

// leastName is how long a name has to be for it to be kept from people: a
// shorter one is found in ordinary words.
const leastName = 8

// workload begins the sub of a Kubernetes service account, which is nobody's
// name, and which whoever configures a trust has to read.
const workload = "system:serviceaccount:"

// namesIn returns the names of the person that a JWT is about, which are no more
// for everybody to read than the JWT.
func namesIn(token string) []string {
	who := readIdentity(token)
	if who == nil {
		return nil
	}
	var names []string
	for _, name := range []Sensitive{who.Subject, who.ObjectID, who.PreferredUsername} {
		if len(name) >= leastName && !strings.HasPrefix(name.Reveal(), workload) {
			names = append(names, personal(name.Reveal()))
		}
	}
	return names
}

// personal is what of a name tells a person from others. The domain behind it is the tenant's, and
// stands in authorities and scopes: a scope isn't thrown away because it shares
// "microsoft.com" with whoever signed in.
func personal(name string) string {
	person, _, hasDomain := strings.Cut(name, "@")
	if !hasDomain {
		return name
	}
	return name[:max(len(person)+1, leastName)]
}

func (o object) name(claim string) Sensitive {
	name, ok := o.text(claim)
	if !ok || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return Sensitive(name)
}
