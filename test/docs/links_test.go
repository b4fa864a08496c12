// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	for _, p := range allPages(t) {
		for _, l := range p.lines {
			for _, match := range link.FindAllStringSubmatch(withoutCode(l.text), -1) {
				if err := follow(p.path, match[1]); err != nil {
					t.Errorf("%s:%d: %v", p.path, l.number, err)
				}
			}
		}
	}
}

// withoutCode blanks what stands in backticks: brackets in there are no links.
func withoutCode(text string) string {
	return codeSpan.ReplaceAllStringFunc(text, func(code string) string { return strings.Repeat("x", len(code)) })
}

// follow says why a link leads nowhere. What lies outside of the repository isn't visited.
func follow(from, target string) error {
	if strings.HasPrefix(target, "https://") {
		return nil
	}
	path, anchor, anchored := strings.Cut(target, "#")
	if path == "" {
		path = from
	} else {
		path = filepath.Join(filepath.Dir(from), filepath.FromSlash(path))
	}
	text, err := os.ReadFile(filepath.Join(root, path))
	if info, statErr := os.Stat(filepath.Join(root, path)); statErr == nil && info.IsDir() {
		err = nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("the link to %s leads to no file", target)
	case anchored && !anchorsOf(string(text))[anchor]:
		return fmt.Errorf("%s has no heading for the link to %s", path, target)
	}
	return nil
}

// anchorsOf returns the addresses of the headings of a document, as GitHub makes them.
func anchorsOf(text string) map[string]bool {
	anchors := map[string]bool{}
	fenced := false
	for l := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(l, "```") {
			fenced = !fenced
		}
		title, isHeading := headingOf(l)
		if !isHeading || fenced {
			continue
		}
		anchor := slug(title)
		for i := 1; anchors[anchor]; i++ {
			anchor = fmt.Sprintf("%s-%d", slug(title), i)
		}
		anchors[anchor] = true
	}
	return anchors
}

// slug is lower case with hyphens for spaces, and without punctuation.
func slug(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		default:
			return -1
		}
	}, title)
}

func TestSlugsAreGitHubs(t *testing.T) {
	for title, want := range map[string]string{
		"The clock":                           "the-clock",
		"spec.issuer":                         "specissuer",
		"What this version does, and not yet": "what-this-version-does-and-not-yet",
		"CredentialNotFound":                  "credentialnotfound",
		"`invalid_client` of an STS":          "invalid_client-of-an-sts",
	} {
		if got := slug(title); got != want {
			t.Errorf("the anchor of %q is %q, want %q", title, got, want)
		}
	}
}

var (
	makeCommand = regexp.MustCompile(`\bmake ([a-z][a-z0-9-]*)`)
	makeTarget  = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)
)

func TestEveryMakeTargetExists(t *testing.T) {
	targets := map[string]bool{}
	for _, match := range makeTarget.FindAllStringSubmatch(string(readFile(t, filepath.Join(root, "Makefile"))), -1) {
		targets[match[1]] = true
	}
	for _, p := range allPages(t) {
		for _, l := range code(p) {
			for _, match := range makeCommand.FindAllStringSubmatch(l.text, -1) {
				if !targets[match[1]] {
					t.Errorf("%s:%d: the Makefile has no target %s", p.path, l.number, match[1])
				}
			}
		}
	}
}

// code returns what stands in backticks and in blocks of commands. Blocks that are indented are prose
// here, and commands to Markdown.
func code(p page) []line {
	var found []line
	for _, l := range p.lines {
		for _, span := range spans(l.text) {
			found = append(found, line{l.number, span})
		}
		if command, indented := strings.CutPrefix(l.text, "    "); indented {
			found = append(found, line{l.number, command})
		}
	}
	for _, b := range p.blocks {
		if b.language == "sh" {
			for i, text := range strings.Split(b.text, "\n") {
				found = append(found, line{b.number + i, text})
			}
		}
	}
	return found
}
