// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"

	"tokenrequest.dev/operator/internal/oautherr"
)

const conditionsIntroduction = `# Conditions

What ` + "`kubectl describe tokenrequests.sts.tokenrequest.dev`" + ` shows under Conditions: the types, and every
reason that one of them can have. Conditions carry no instants and no ids, so the same failure always
reads the same; instants are in ` + "`status.nextAttemptAt` and `status.token`, ids in `status.lastError`" + `.
`

// conditionsReference renders the constants of the Go file at path: a section per block, headed by
// the block's comment, and an entry per constant. Each of reasons must have one, since conditions
// show it.
func conditionsReference(path string, reasons []oautherr.Reason) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return "", fmt.Errorf("reading the conditions: %w", err)
	}
	values := constantValues(file)
	for _, reason := range reasons {
		if values["Reason"+string(reason)] != string(reason) {
			return "", fmt.Errorf("reading the conditions: %s has no constant for the reason %s", path, reason)
		}
	}
	var b strings.Builder
	b.WriteString(conditionsIntroduction)
	for _, block := range constantBlocks(file) {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(paragraph(block.Doc), "."))
		for _, spec := range block.Specs {
			if constant, ok := spec.(*ast.ValueSpec); ok {
				name := constant.Names[0].Name
				fmt.Fprintf(&b, "\n### %s\n\n%s\n", values[name], inProse(paragraph(constant.Doc), values))
			}
		}
	}
	return b.String(), nil
}

func constantBlocks(file *ast.File) []*ast.GenDecl {
	var blocks []*ast.GenDecl
	for _, declaration := range file.Decls {
		if block, ok := declaration.(*ast.GenDecl); ok && block.Tok == token.CONST {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// constantValues maps the names of the string constants in file to their values.
func constantValues(file *ast.File) map[string]string {
	values := map[string]string{}
	for _, block := range constantBlocks(file) {
		for _, spec := range block.Specs {
			constant, ok := spec.(*ast.ValueSpec)
			if !ok || len(constant.Values) != 1 {
				continue
			}
			if literal, ok := constant.Values[0].(*ast.BasicLit); ok {
				if value, err := strconv.Unquote(literal.Value); err == nil {
					values[constant.Names[0].Name] = value
				}
			}
		}
	}
	return values
}

var identifier = regexp.MustCompile(`\b(?:Condition|Reason)[A-Z]\w+`)

// inProse writes the values of constants, as users see them, for their names.
func inProse(text string, values map[string]string) string {
	return identifier.ReplaceAllStringFunc(text, func(name string) string {
		if value, ok := values[name]; ok {
			return "`" + value + "`"
		}
		return name
	})
}

func paragraph(comment *ast.CommentGroup) string {
	return strings.TrimSpace(comment.Text())
}
