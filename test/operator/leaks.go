// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// leakLength is how many characters in a row of a canary count as a leak: a part of a secret is half
// of what somebody needs who guesses the rest.
const leakLength = 12

// Leaks looks in the places for canaries, which are secrets by a name that may be printed, and says
// in one sentence each which is where. Twelve characters in a row of one are a leak, as it is or
// reversed, in the encodings of JSON, URLs, HTML and hexadecimal digits, and in base64 at any
// alignment; a shorter canary is one as a whole. The sentences hold no part of a canary.
func Leaks(places []Place, canaries map[string]string) []string {
	parts := map[string]string{} // a part of a canary: its name
	short := map[string]string{}
	for name, value := range canaries {
		for _, shape := range shapes(value) {
			if len(shape) < leakLength {
				short[shape] = name
			}
			for i := range max(len(shape)-leakLength+1, 0) {
				parts[shape[i:i+leakLength]] = name
			}
		}
	}
	found := map[string]bool{}
	for _, place := range places {
		for i := range max(len(place.Text)-leakLength+1, 0) {
			if name, leaked := parts[place.Text[i:i+leakLength]]; leaked {
				found[fmt.Sprintf("%s is in %s", name, place.Name)] = true
			}
		}
		for shape, name := range short {
			if strings.Contains(place.Text, shape) {
				found[fmt.Sprintf("%s is in %s", name, place.Name)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// shapes are the forms in which a secret may turn up.
func shapes(secret string) []string {
	if secret == "" {
		return nil
	}
	// A text always has a JSON form.
	inJSON, _ := json.Marshal(secret)
	reversed := []byte(secret)
	slices.Reverse(reversed)
	list := []string{
		secret, string(reversed), string(inJSON[1 : len(inJSON)-1]), html.EscapeString(secret), hex.EncodeToString([]byte(secret)),
	}
	for _, escaped := range []string{url.QueryEscape(secret), url.PathEscape(secret)} {
		list = append(list, escaped, strings.ToLower(escaped))
	}
	return append(list, inBase64(secret)...)
}

// inBase64 returns the characters that base64 has of a secret alone, whatever stands before and behind
// it: for each of the three places at which it can begin within three bytes.
func inBase64(secret string) []string {
	var list []string
	for offset := range 3 {
		padded := strings.Repeat("\x00", offset) + secret
		first, last := (offset*8+5)/6, len(padded)*8/6
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			list = append(list, encoding.EncodeToString([]byte(padded))[first:last])
		}
	}
	return list
}
