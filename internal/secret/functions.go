// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"slices"
	"strings"
)

// function is one that a template may call. Its arguments are checked when the template is read.
type function struct {
	takes func(arguments []value) bool
	wants string // in words that follow "something else than"
	makes value
	call  func(arguments []result) (result, error)
	// stops says of an argument that it decides, so that the others aren't looked at; nil: none does.
	stops func(argument result) bool
}

// either is what a function makes that returns one of its arguments.
const either value = "either"

// result is what a part of a template makes of one token.
type result struct {
	kind  value
	text  string // of kind text
	truth bool   // of kind truth
}

// holds is what an if sees: a text holds unless it is empty, as in Go's templates.
func (r result) holds() bool { return r.truth || r.text != "" }

// functionOf is the function of that name. The encoders are made for this project; the others do as Go's
// do, of which print puts no spaces between operands that are texts.
//
// Each encoder makes a text that its format's readers take for the very same token, whatever characters an
// STS has put into it, or refuses. None does I/O, and none of their errors quotes what it was given.
func functionOf(name string) (f function, listed bool) {
	switch name {
	case "b64enc":
		return encoder(base64Encoded), true
	case "json":
		return encoder(jsonString), true
	case "percent":
		return encoder(percentEncoded), true
	case "netrc":
		return encoder(plainIn("netrc", netrcPlain)), true
	case "env":
		return encoder(environmentValue), true
	case "print":
		return function{takes: texts, wants: "texts", makes: text, call: joined}, true
	case "eq":
		return comparison(func(a, b string) bool { return a == b }), true
	case "ne":
		return comparison(func(a, b string) bool { return a != b }), true
	case "not":
		negate := func(a []result) (result, error) { return result{kind: truth, truth: !a[0].holds()}, nil }
		return function{takes: func(a []value) bool { return len(a) == 1 }, wants: "one value", makes: truth, call: negate}, true
	case "and":
		return choice(func(r result) bool { return !r.holds() }), true
	case "or":
		return choice(result.holds), true
	default:
		return function{}, false
	}
}

func encoder(encode func(string) (string, error)) function {
	return function{
		takes: func(a []value) bool { return len(a) == 1 && a[0] == text }, wants: "one text", makes: text,
		call: func(a []result) (result, error) {
			encoded, err := encode(a[0].text)
			if err == nil && len(encoded) > longestText {
				err = errTooLong
			}
			return result{kind: text, text: encoded}, err
		},
	}
}

func comparison(holds func(a, b string) bool) function {
	return function{
		takes: func(a []value) bool { return len(a) == 2 && texts(a) }, wants: "two texts", makes: truth,
		call: func(a []result) (result, error) { return result{kind: truth, truth: holds(a[0].text, a[1].text)}, nil },
	}
}

// choice returns the first argument that stops it, or the last one.
func choice(stops func(result) bool) function {
	return function{
		takes: func(a []value) bool { return len(a) > 0 && alike(a) }, wants: "values of one kind", makes: either, stops: stops,
		call: func(a []result) (result, error) { return a[len(a)-1], nil },
	}
}

// joined is print.
func joined(parts []result) (result, error) {
	length := 0
	for _, part := range parts {
		length += len(part.text)
	}
	if length > longestText {
		return result{}, errTooLong
	}
	var b strings.Builder
	for _, part := range parts {
		b.WriteString(part.text)
	}
	return result{kind: text, text: b.String()}, nil
}

// texts says that there is a value, and each is a text.
func texts(values []value) bool { return len(values) > 0 && alike(values) && values[0] == text }

// alike says that no two of the values, of which there is one at least, are of different kinds.
func alike(values []value) bool {
	return !slices.ContainsFunc(values, func(v value) bool { return v != values[0] })
}
