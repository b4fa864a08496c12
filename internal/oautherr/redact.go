// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

const redacted = "[redacted]"

// minSecret is the shortest secret that is looked for: a shorter one would tear
// holes into ordinary words.
const minSecret = 4

// jsonWebToken matches what begins like base64url of `{"`: three segments or
// more anywhere, fewer where a word begins, because a text may end within one.
var jsonWebToken = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){1,3}` +
	`|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?`)

// shortestJWT is the length of the shortest text that jsonWebToken matches. A fragment is no shorter.
const shortestJWT = 11

// Redact returns a copy of e in which each secret, whatever shares Fragment or
// more characters in a row with one, and whatever looks like a JWT, reads
// "[redacted]". A token service may echo what it was sent (external-secrets#5884),
// whole or in part, as it is or in the encodings of a form, a page, JSON or an
// Authorization header. Secrets of less than 4 bytes are ignored. A field that no
// longer has its form, such as an id, is dropped. Redact of nil is nil.
func (e *Error) Redact(secrets ...string) *Error {
	if e == nil {
		return nil
	}
	shapes := encodings(secrets)
	clean := *e
	clean.Codes = slices.Clone(e.Codes)
	// What isn't seen goes first: it could stand within a secret, and leave it whole when bound takes it
	// away. Of the other fields none is shown that has such a character.
	for _, text := range []*string{&clean.Code, &clean.Description, &clean.Detail} {
		*text = visible(*text)
	}
	for _, text := range clean.texts() {
		*text = redact(*text, shapes)
	}
	// Bounded before fragments are looked for, which costs more the longer a text is.
	clean.bound()
	for _, text := range clean.texts() {
		*text = withoutFragments(*text, shapes)
	}
	clean.bound()
	return &clean
}

// Quotes returns what reports that a text holds one of the secrets, in one of the
// forms that Redact knows, or Fragment characters of it in a row. To make the
// forms costs more than to look for them, hence once for several texts.
func Quotes(secrets ...string) func(text string) bool {
	shapes := sync.OnceValue(func() []string { return encodings(secrets) })
	return func(text string) bool {
		if tooShort(text, secrets) {
			return false
		}
		return redact(text, shapes()) != text || hasFragment(text, shapes())
	}
}

// tooShort says that a text, "Bearer" for one, can hold none of the secrets: no whole one, whose forms are as
// long as itself or longer unless white space is trimmed, no fragment, no JWT, and no beginning that a bound
// has cut. That spares the forms of a token, which is long, where the STS says little beside it.
func tooShort(text string, secrets []string) bool {
	if len(text) >= shortestJWT || strings.HasSuffix(text, ellipsis) {
		return false
	}
	return !slices.ContainsFunc(secrets, func(secret string) bool {
		return len(secret) <= len(text) || special.MatchString(secret)
	})
}

// texts are the fields that hold what a token service wrote.
func (e *Error) texts() []*string {
	return []*string{
		&e.Code, &e.Description, &e.Detail, &e.Suberror, &e.Claims,
		&e.ErrorURI, &e.CorrelationID, &e.TraceID, &e.Timestamp,
	}
}

func redact(text string, shapes []string) string {
	for _, shape := range shapes {
		text = strings.ReplaceAll(text, shape, redacted)
	}
	text = jsonWebToken.ReplaceAllString(text, redacted)
	if whole, wasCut := strings.CutSuffix(text, ellipsis); wasCut {
		text = withoutTail(whole, shapes) + ellipsis
	}
	return text
}

// Fragment is how many characters of a secret in a row give it away: enough to
// recognise and to search for it, too many for chance.
const Fragment = 12

// withoutFragments redacts every run of text that is made of fragments.
func withoutFragments(text string, shapes []string) string {
	found := map[string]bool{}
	for piece := range shared(text, shapes) {
		found[piece] = true
	}
	if len(found) == 0 {
		return text
	}
	var clean strings.Builder
	kept := 0
	for i := 0; i+Fragment <= len(text); i++ {
		if !found[text[i:i+Fragment]] {
			continue
		}
		end := i + Fragment
		for next := i + 1; next <= end && next+Fragment <= len(text); next++ {
			if found[text[next:next+Fragment]] {
				end = next + Fragment
			}
		}
		clean.WriteString(text[kept:i] + redacted)
		kept, i = end, end-1
	}
	return clean.String() + text[kept:]
}

// hasFragment says that withoutFragments would redact something.
func hasFragment(text string, shapes []string) bool {
	for range shared(text, shapes) {
		return true
	}
	return false
}

// shared yields each fragment-sized piece that the text has of one of the shapes.
func shared(text string, shapes []string) iter.Seq[string] {
	return func(yield func(piece string) bool) {
		var begins pairs // how pieces of the text begin: to rule out nearly all of a secret costs no map
		for i := 0; i+Fragment <= len(text); i++ {
			begins.add(text[i:])
		}
		pieces := sync.OnceValue(func() map[string]bool { return piecesOf(text) })
		for _, shape := range shapes {
			for i := 0; i+Fragment <= len(shape); i++ {
				if begins.have(shape[i:]) && pieces()[shape[i:i+Fragment]] && !yield(shape[i:i+Fragment]) {
					return
				}
			}
		}
	}
}

func piecesOf(text string) map[string]bool {
	pieces := make(map[string]bool, len(text))
	for i := 0; i+Fragment <= len(text); i++ {
		pieces[text[i:i+Fragment]] = true
	}
	return pieces
}

// pairs is a set of the first two bytes of texts, one bit for each there may be.
type pairs [1 << 16 / 64]uint64

func (p *pairs) add(text string) { p[uint(text[0])<<2|uint(text[1])>>6] |= 1 << (text[1] & 63) }

func (p *pairs) have(text string) bool {
	return p[uint(text[0])<<2|uint(text[1])>>6]&(1<<(text[1]&63)) != 0
}

// withoutTail redacts the beginning of a secret that the bound of a field cut.
func withoutTail(text string, shapes []string) string {
	for _, shape := range shapes {
		for length := min(len(shape), len(text)); length >= minSecret; length-- {
			if strings.HasSuffix(text, shape[:length]) {
				return text[:len(text)-length] + redacted
			}
		}
	}
	return text
}

// encodings returns the forms in which each secret may be echoed, the longest
// first, so that none leaves the rest of another behind.
func encodings(secrets []string) []string {
	var shapes []string
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		if !special.MatchString(secret) { // each escape leaves it as it is
			shapes = append(append(shapes, secret), inBase64(secret)...)
			continue
		}
		query, path := url.QueryEscape(secret), url.PathEscape(secret)
		shapes = append(shapes, secret,
			strings.TrimSpace(secret), line(secret, len(secret)),
			query, lowerHex(query), path, lowerHex(path), html.EscapeString(secret))
		shapes = append(shapes, inJSON(secret)...)
		shapes = append(shapes, inBase64(secret)...)
		shapes = append(shapes, inBase64(query)...) // RFC 6749 section 2.3.1 encodes before Basic does
	}
	shapes = slices.DeleteFunc(shapes, func(shape string) bool { return len(shape) < minSecret })
	slices.SortFunc(shapes, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	return slices.Compact(shapes)
}

// special matches what isn't unreserved in a URL (RFC 3986 section 2.3), of which nothing is escaped in
// a form, a page or JSON either.
var special = regexp.MustCompile(`[^A-Za-z0-9._~-]`)

var percentHex = regexp.MustCompile(`%[0-9A-F]{2}`)

// lowerHex writes %2f for %2F, as .NET does.
func lowerHex(escaped string) string {
	return percentHex.ReplaceAllStringFunc(escaped, strings.ToLower)
}

// inBase64 returns the base64 of secret, and the characters that any base64
// shows of it when it stands within a longer text at each of the three possible
// offsets, as it does after "client_id:" in a Basic header.
func inBase64(secret string) []string {
	shapes := []string{
		base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.URLEncoding.EncodeToString([]byte(secret)),
	}
	for offset, first := range []int{0, 2, 3} { // characters that the bytes before reach into
		padded := []byte(strings.Repeat("\x00", offset) + secret)
		whole := len(padded) * 8 / 6
		shapes = append(shapes,
			base64.RawStdEncoding.EncodeToString(padded)[first:whole],
			base64.RawURLEncoding.EncodeToString(padded)[first:whole])
	}
	return shapes
}

// inJSON returns secret as a JSON string has it, without the quotes: as Go
// writes it, with less escaped, with the slash escaped, as PHP does, and as .NET
// writes it.
func inJSON(secret string) []string {
	escaped, _ := json.Marshal(secret) // no string fails
	full := string(escaped[1 : len(escaped)-1])
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(full)
	dotNet := strings.NewReplacer(`\"`, `\u0022`, "&", `\u0026`, "'", `\u0027`, "+", `\u002B`, "<", `\u003C`, ">", `\u003E`, "`", `\u0060`)
	return []string{full, plain, strings.ReplaceAll(plain, "/", `\/`), dotNet.Replace(plain)}
}
