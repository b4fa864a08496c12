// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

func TestParseTokenReadsTheIdentity(t *testing.T) {
	alice := &Identity{Subject: "s-1", ObjectID: "o-1", PreferredUsername: "alice@example.com"}
	long := strings.Repeat("x", maxName)
	tests := map[string]struct {
		idToken string
		want    *Identity
	}{
		"all names":                          {unsigned(`{"sub":"s-1","oid":"o-1","preferred_username":"alice@example.com"}`), alice},
		"a subject alone":                    {unsigned(`{"sub":"s-1","aud":["x"],"exp":1}`), &Identity{Subject: "s-1"}},
		"a name in another script":           {unsigned(`{"preferred_username":"Žofie"}`), &Identity{PreferredUsername: "Žofie"}},
		"the longest name":                   {unsigned(`{"sub":"` + long + `"}`), &Identity{Subject: Sensitive(long)}},
		"a name that is too long":            {unsigned(`{"sub":"` + long + `x","oid":"o"}`), &Identity{ObjectID: "o"}},
		"a name that is a number":            {unsigned(`{"sub":1,"oid":"o"}`), &Identity{ObjectID: "o"}},
		"a name with an escape":              {unsigned(`{"sub":"\u001b","oid":"o"}`), &Identity{ObjectID: "o"}},
		"a name in another case":             {unsigned(`{"SUB":"s","oid":"o"}`), &Identity{ObjectID: "o"}},
		"two subjects":                       {unsigned(`{"sub":"s-1","sub":"s-2"}`), nil},
		"no name":                            {unsigned(`{}`), nil},
		"a payload that is a list":           {unsigned(`[]`), nil},
		"a payload that isn't base64":        {"e30.!.x", nil},
		"a word":                             {"word", nil},
		"five segments, which is encryption": {"e30.e30.e30.e30.e30", nil},
		"an algorithm that nobody knows": {
			base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"X"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"s"}`)) + ".", &Identity{Subject: "s"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			want := lasting(0)
			want.Identity = tc.want
			wantToken(t, withMembers(`,"id_token":"`+tc.idToken+`"`), want)
		})
	}
}

func TestIdentityIs(t *testing.T) {
	alice := &Identity{Subject: "s-1", ObjectID: "o-1", PreferredUsername: "alice@example.com"}
	for name, tc := range map[string]struct {
		who  *Identity
		name string
		want bool
	}{
		"the subject":               {alice, "s-1", true},
		"the object id":             {alice, "o-1", true},
		"the username":              {alice, "alice@example.com", true},
		"the username, in capitals": {alice, "Alice@example.com", false},
		"somebody else":             {alice, "bob@example.com", false},
		"nobody":                    {alice, "", false},
		"nobody, of no names":       {&Identity{}, "", false},
		"whoever, of no identity":   {nil, "s-1", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.who.Is(tc.name); got != tc.want {
				t.Errorf("Is(%q) = %t", tc.name, got)
			}
		})
	}
	if text := fmt.Sprintf("%v %+v %#v", *alice, alice, alice); strings.Contains(text, "-1") || strings.Contains(text, "alice") {
		t.Errorf("the identity shows itself: %s", text)
	}
}
