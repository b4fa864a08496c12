// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"tokenrequest.dev/operator/internal/oautherr"
)

const errorsIntroduction = `# Errors of token services

What the operator knows of each ` + "`error`" + ` value and each AADSTS number of Microsoft Entra. A failing
TokenRequest shows the same in ` + "`status.lastError`" + `, with the names of its own objects in the remedy. The
class says who can end the failure; the reason stands in the conditions. An AADSTS number makes the remedy more
exact; class and reason come from the ` + "`error`" + ` beside it.
`

// errorsReference renders a section per entry, so that each has an address.
func errorsReference(entries []oautherr.Entry) string {
	var b strings.Builder
	b.WriteString(errorsIntroduction)
	for _, entry := range entries {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", entry.Code, html(sentenceCase(entry.Meaning)))
		fmt.Fprintf(&b, "- Class: %s\n", entry.Class)
		if entry.Reason != "" {
			fmt.Fprintf(&b, "- Reason: %s\n", entry.Reason)
		}
		if entry.Propagating {
			b.WriteString("- May end by itself, some minutes after an administrator's change\n")
		}
		fmt.Fprintf(&b, "- Remedy: %s\n", html(entry.Remedy(oautherr.Subject{})))
	}
	return b.String()
}

func sentenceCase(clause string) string {
	first, size := utf8.DecodeRuneInString(clause)
	return string(unicode.ToUpper(first)) + clause[size:]
}

// html keeps Markdown from taking <namespace> for an element.
func html(text string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(text)
}
