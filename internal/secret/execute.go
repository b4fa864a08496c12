// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"fmt"
	"strings"
	"text/template/parse"
)

// execute writes the template for one token. It is for trees that reader has passed, and does what Go's
// own engine does, against which FuzzTemplatesAsGo holds it. That one finds fields and methods by
// reflection, for which the linker keeps every method of every type in the program: a sixth of an idle
// operator's memory (ADR 0013).
func (t template) execute(f fields) ([]byte, error) {
	w := writer{fields: f}
	if err := each(t.root, w.node); err != nil {
		return nil, &TemplateError{t.key, err.Error()}
	}
	return []byte(w.out.String()), nil
}

// writer goes through the tree of a template and writes. Its errors are refusals.
type writer struct {
	fields fields
	out    strings.Builder
}

func (w *writer) node(node parse.Node) error {
	switch n := node.(type) {
	case *parse.TextNode:
		return w.write(string(n.Text))
	case *parse.ActionNode:
		made, err := pipeline(n.Pipe, w.command)
		if err != nil {
			return err
		}
		return w.write(made.text)
	case *parse.IfNode:
		condition, err := pipeline(n.Pipe, w.command)
		switch {
		case err != nil:
			return err
		case condition.holds():
			return each(n.List, w.node)
		default:
			return each(n.ElseList, w.node)
		}
	default:
		return unread(node)
	}
}

// write refuses what would make the whole longer than a template's text may be.
func (w *writer) write(s string) error {
	if w.out.Len()+len(s) > longestText {
		return errTooLong
	}
	w.out.WriteString(s)
	return nil
}

func (w *writer) command(command *parse.CommandNode, handed []result) (result, error) {
	called, isCall := command.Args[0].(*parse.IdentifierNode)
	if !isCall {
		return w.operand(command.Args[0])
	}
	f, listed := functionOf(called.Ident)
	if !listed {
		return result{}, unread(called)
	}
	var arguments []result
	for _, argument := range command.Args[1:] {
		made, err := w.operand(argument)
		if err != nil || f.stops != nil && f.stops(made) {
			return made, err
		}
		arguments = append(arguments, made)
	}
	return f.call(append(arguments, handed...))
}

func (w *writer) operand(node parse.Node) (result, error) {
	switch n := node.(type) {
	case *parse.StringNode:
		return result{kind: text, text: n.Text}, nil
	case *parse.FieldNode:
		return result{kind: text, text: w.fields[n.Ident[0]]}, nil
	case *parse.PipeNode:
		return pipeline(n, w.command)
	default:
		return result{}, unread(node)
	}
}

// unread is a part of a template that reader should have refused. It is of the template, which is no secret.
func unread(node parse.Node) error {
	return refusal(fmt.Sprintf("has %s, which can't be written", node))
}
