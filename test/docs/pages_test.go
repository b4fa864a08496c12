// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package docs holds the documents for users to what the operator does: their examples are applied,
// their commands are run, and what they say of flags, fields, intervals and places is compared with
// the code.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the top of the repository.
const root = "../.."

// page is a Markdown document, taken apart.
type page struct {
	path   string // from the top of the repository
	lines  []line // of its prose, headings and tables included
	blocks []block
}

// line is a line of prose.
type line struct {
	number int
	text   string
}

// block is a fenced block.
type block struct {
	page     string
	language string
	number   int // of its first line
	text     string
}

// allPages returns the documents at the top of the repository and those below docs.
func allPages(t *testing.T) []page {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages := make([]page, len(paths))
	for i, path := range paths {
		pages[i] = readPage(t, path)
	}
	return pages
}

// readPage reads one document; the path is from here.
func readPage(t *testing.T, path string) page {
	t.Helper()
	name, err := filepath.Rel(root, path)
	if err != nil {
		t.Fatal(err)
	}
	p := page{path: filepath.ToSlash(name)}
	var open *block
	for i, text := range strings.Split(string(readFile(t, path)), "\n") {
		language, fence := strings.CutPrefix(text, "```")
		switch {
		case fence && open == nil:
			open = &block{page: p.path, language: language, number: i + 2}
		case fence:
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.text += text + "\n"
		default:
			p.lines = append(p.lines, line{number: i + 1, text: text})
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block isn't closed", p.path, open.number)
	}
	return p
}

// userPage reads one of the documents for users; the path is from the top of the repository.
func userPage(t *testing.T, path string) page {
	t.Helper()
	return readPage(t, filepath.Join(root, filepath.FromSlash(path)))
}

// section returns the lines of prose below a heading, up to the next one.
func (p page) section(t *testing.T, heading string) []line {
	t.Helper()
	var found []line
	inside := false
	for _, l := range p.lines {
		title, isHeading := headingOf(l.text)
		switch {
		case isHeading:
			inside = title == heading
		case inside:
			found = append(found, l)
		}
	}
	if found == nil {
		t.Fatalf("%s has no section %q", p.path, heading)
	}
	return found
}

// rows returns the cells of the tables among the lines, without their heads.
func rows(lines []line) [][]string {
	var found [][]string
	for i, l := range lines {
		if !isRow(l.text) || isRule(l.text) || i+1 < len(lines) && isRule(lines[i+1].text) {
			continue
		}
		cells := strings.Split(strings.Trim(l.text, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		found = append(found, cells)
	}
	return found
}

func isRow(text string) bool { return strings.HasPrefix(text, "|") }

// isRule tells the line between the head and the body of a table.
func isRule(text string) bool { return strings.HasPrefix(text, "|--") }

// headingOf returns the text of a heading.
func headingOf(text string) (string, bool) {
	if !strings.HasPrefix(text, "#") {
		return "", false
	}
	title, found := strings.CutPrefix(strings.TrimLeft(text, "#"), " ")
	return title, found
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// spans returns what stands in backticks in a text.
func spans(text string) []string {
	var found []string
	for _, match := range codeSpan.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
