// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/sts"
)

// Shape is how a token is written into the keys of its Secret. The zero value writes the default keys.
type Shape struct {
	templates []template
}

// NewShape reads the templates of a request. Its error is a *TemplateError, always of the same key
// while the templates stay the same.
func NewShape(request *stsv1alpha1.TokenRequest) (Shape, error) {
	wanted := tokenSecret(request).Data
	s := Shape{}
	written := false
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		compiled, token, err := compile(key, string(wanted[key]))
		if err != nil {
			return Shape{}, err
		}
		s.templates = append(s.templates, compiled)
		written = written || token
	}
	if len(wanted) > 0 && !written {
		return Shape{}, &TemplateError{Problem: "no template has the token; write {{ .AccessToken }} in one"}
	}
	return s, nil
}

// Body is what the keys of a Secret hold for a token. The zero value holds none.
type Body struct {
	// Data is the Secret's.
	Data map[string][]byte
	// TokenKey is the key that holds the token as it is, so that it can be written anew in another
	// shape without a call; empty when none does.
	TokenKey string
}

// Token is the token, where a key holds it as it is, else empty.
func (b Body) Token() sts.Sensitive { return sts.Sensitive(b.Data[b.TokenKey]) }

// Format writes the names of the keys, whatever the verb: fmt would write what they hold.
func (b Body) Format(f fmt.State, _ rune) {
	text, _ := b.MarshalText()
	_, _ = f.Write(text)
}

// MarshalText returns the names of the keys, for logs. It returns no error.
func (b Body) MarshalText() ([]byte, error) {
	return []byte("keys " + joinKeys(b.Data)), nil
}

// annotations is what Holding.Body reads.
func (b Body) annotations() map[string]string {
	a := map[string]string{stsv1alpha1.AnnotationKeys: joinKeys(b.Data)}
	if b.TokenKey != "" {
		a[stsv1alpha1.AnnotationTokenKey] = b.TokenKey
	}
	return a
}

func joinKeys(data map[string][]byte) string {
	return strings.Join(slices.Sorted(maps.Keys(data)), ",")
}

// Body writes a token down in this shape. A key whose template makes nothing is left out, as scope is
// among the default ones when the STS named none.
//
// Its error is a *TemplateError: an encoder has refused this very token, or what was made is too long.
func (s Shape) Body(token sts.Sensitive, record Record) (Body, error) {
	if len(s.templates) == 0 {
		return Body{Data: defaultData(token, record), TokenKey: KeyAccessToken}, nil
	}
	f := record.fields(token)
	data := map[string][]byte{}
	for _, t := range s.templates {
		made, err := t.execute(f)
		if err != nil {
			return Body{}, err
		}
		if len(made) > 0 {
			data[t.key] = made
		}
	}
	if len(data) == 0 {
		return Body{}, &TemplateError{Problem: "every template makes nothing of this token"}
	}
	return Body{Data: data, TokenKey: keyOf(token, data)}, nil
}

// keyOf is the first key that holds the token as it is, or "".
func keyOf(token sts.Sensitive, data map[string][]byte) string {
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if string(data[key]) == token.Reveal() {
			return key
		}
	}
	return ""
}

// fields is what a template sees of the record's token.
func (r Record) fields(token sts.Sensitive) fields {
	f := fields{
		"AccessToken":     token.Reveal(),
		"TokenType":       r.TokenType,
		"IssuedTokenType": r.IssuedTokenType,
		"Scope":           r.Scope,
		"IssuedAt":        stamp(r.IssuedAt),
		"ExpiresAt":       "",
	}
	if !r.ExpiresAt.IsZero() {
		f["ExpiresAt"] = stamp(r.ExpiresAt)
	}
	return f
}

// defaultData is the content of a Secret whose request has no templates.
func defaultData(token sts.Sensitive, record Record) map[string][]byte {
	data := map[string][]byte{
		KeyAccessToken: []byte(token.Reveal()),
		KeyTokenType:   []byte(record.TokenType),
	}
	if record.ScopeSaid {
		data[KeyScope] = []byte(record.Scope)
	}
	if !record.ExpiresAt.IsZero() {
		data[KeyExpiresAt] = []byte(stamp(record.ExpiresAt))
	}
	return data
}

// shapeHash hashes the templates that a request wants; it is empty for the default keys.
func shapeHash(wanted *stsv1alpha1.TokenSecret) string {
	if len(wanted.Data) == 0 {
		return ""
	}
	data := map[string][]byte{}
	for key, source := range wanted.Data {
		data[key] = []byte(source)
	}
	return contentHash(data)
}

// Body is what an intact Secret holds for its record: to write it again with other labels costs no
// call. That of a stripped one is empty.
func (h Holding) Body() Body {
	b := Body{Data: map[string][]byte{}}
	for key := range strings.SplitSeq(h.Secret.Annotations[stsv1alpha1.AnnotationKeys], ",") {
		if v := h.Secret.Data[key]; len(v) > 0 {
			b.Data[key] = v
		}
	}
	if key := h.Secret.Annotations[stsv1alpha1.AnnotationTokenKey]; len(b.Data[key]) > 0 {
		b.TokenKey = key
	}
	return b
}
