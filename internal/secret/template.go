// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template/parse"
)

const (
	// longestTemplate bounds a template's text; the schema of the API does too.
	longestTemplate = 8 << 10
	// longestText bounds what a template or one function in it makes, in bytes. Without it forty
	// nested calls of json would double a backslash forty times.
	longestText = 64 << 10
	// mostCalls bounds the functions in one template, and so the time that a worker spends on it.
	mostCalls = 64
)

// fields is what a template sees. Nothing else of the operator, the request or the cluster is within
// its reach (GHSA-77v3-r3jw-j2v2: a function that read any Secret).
type fields map[string]string

func fieldNames() []string {
	return []string{"AccessToken", "TokenType", "IssuedTokenType", "Scope", "IssuedAt", "ExpiresAt"}
}

// value is what a part of a template makes. There are two kinds, so that everything which could fail
// when a token comes, but for what an encoder refuses, is known when the template is read.
type value string

const (
	text  value = "text"
	truth value = "a condition"
)

// TemplateError says what is wrong with the template of one key, and never what a token was.
type TemplateError struct {
	// Key of the Secret. Empty: it is about all templates together.
	Key string
	// Problem in words that follow "the template of key k".
	Problem string
}

// Error returns the problem with its key.
func (e *TemplateError) Error() string {
	if e.Key == "" {
		return e.Problem
	}
	return fmt.Sprintf("the template of key %s %s", e.Key, e.Problem)
}

// template is one that compile has read: of its tree nothing is left that writer doesn't know.
type template struct {
	key  string
	root *parse.ListNode
}

// compile reads one template, and says whether it may write the token. Of Go's language text, fields, pipelines, if and the listed functions
// are left: no loops, variables, definitions or methods. A list of what is allowed is checked against
// the tree that Go's own parser has made, so that what a later Go adds is refused until somebody has
// thought of it.
func compile(key, source string) (compiled template, token bool, err error) {
	if len(source) > longestTemplate {
		return template{}, false, &TemplateError{key, "is longer than 8 KiB"}
	}
	tree, defined := parse.New(key), map[string]*parse.Tree{}
	tree.Mode = parse.SkipFuncCheck // reader checks them, in words of its own
	if _, err := tree.Parse(source, "", "", defined); err != nil {
		return template{}, false, &TemplateError{key, "can't be read: " + complaint(err)}
	}
	if len(defined) != 1 || defined[key] != tree {
		return template{}, false, &TemplateError{key, "defines another template; write one text"}
	}
	r := reader{}
	if err := each(tree.Root, r.node); err != nil {
		return template{}, false, &TemplateError{key, err.Error()}
	}
	return template{key, tree.Root}, r.token, nil
}

// complaint is what Go's parser says, without its prefix of names and lines that mean nothing to who
// wrote a line of YAML.
func complaint(err error) string {
	parts := strings.SplitN(err.Error(), ": ", 3)
	return parts[len(parts)-1]
}

// reader goes through the tree of a template and refuses what isn't allowed.
type reader struct {
	calls int
	token bool // a field .AccessToken is written, and not only asked about by an if
}

var errTooManyCalls = errors.New("calls more than 64 functions; write fewer")

// each goes through the nodes of a list, which may be absent, until one is refused.
func each(list *parse.ListNode, visit func(parse.Node) error) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		if err := visit(node); err != nil {
			return err
		}
	}
	return nil
}

// pipeline goes through the commands of a pipeline, of which each is handed what the one before made, as its last
// argument.
func pipeline[T any](pipe *parse.PipeNode, visit func(command *parse.CommandNode, handed []T) (T, error)) (made T, err error) {
	var handed []T
	for _, command := range pipe.Cmds {
		if made, err = visit(command, handed); err != nil {
			return made, err
		}
		handed = []T{made}
	}
	return made, nil
}

func (r *reader) node(node parse.Node) error {
	switch n := node.(type) {
	case *parse.TextNode:
		return nil
	case *parse.ActionNode:
		made, err := r.pipe(n.Pipe)
		if err == nil && made != text {
			return fmt.Errorf("writes %s, in %s; use it with if", made, n)
		}
		return err
	case *parse.IfNode:
		before := r.token
		if _, err := r.pipe(n.Pipe); err != nil {
			return err
		}
		r.token = before
		if err := each(n.List, r.node); err != nil {
			return err
		}
		return each(n.ElseList, r.node)
	default:
		return fmt.Errorf("has %s, which isn't allowed here; of actions there are fields, functions and if", keyword(node))
	}
}

// keyword is the word that begins an action.
func keyword(node parse.Node) string {
	word := strings.Trim(node.String(), "{}- ")
	if i := strings.IndexAny(word, " }"); i > 0 {
		word = word[:i]
	}
	return word
}

// pipe returns what a pipeline makes.
func (r *reader) pipe(pipe *parse.PipeNode) (value, error) {
	if len(pipe.Decl) > 0 {
		return "", errors.New("declares a variable, which isn't allowed; write the pipeline where its value is used")
	}
	return pipeline(pipe, r.command)
}

func (r *reader) command(command *parse.CommandNode, handed []value) (value, error) {
	first, rest := command.Args[0], command.Args[1:]
	called, isCall := first.(*parse.IdentifierNode)
	if !isCall {
		if len(rest)+len(handed) > 0 {
			return "", fmt.Errorf("hands something to %s, which isn't a function", first)
		}
		return r.operand(first)
	}
	if r.calls++; r.calls > mostCalls {
		return "", errTooManyCalls
	}
	var arguments []value
	for _, argument := range rest {
		made, err := r.operand(argument)
		if err != nil {
			return "", err
		}
		arguments = append(arguments, made)
	}
	return resultOf(called.Ident, append(arguments, handed...))
}

// operand returns what a field, a text in quotes or a pipeline in parentheses makes.
func (r *reader) operand(node parse.Node) (value, error) {
	switch n := node.(type) {
	case *parse.StringNode:
		return text, nil
	case *parse.FieldNode:
		if len(n.Ident) == 1 && slices.Contains(fieldNames(), n.Ident[0]) {
			r.token = r.token || n.Ident[0] == "AccessToken"
			return text, nil
		}
		return "", fmt.Errorf("has no field %s; there are .%s", n, strings.Join(fieldNames(), ", ."))
	case *parse.PipeNode:
		return r.pipe(n)
	default:
		return "", fmt.Errorf("has %s, which isn't allowed; write a field, a text in quotes, or a function in parentheses", node)
	}
}

// resultOf is what a function makes of such arguments.
func resultOf(name string, arguments []value) (value, error) {
	f, listed := functionOf(name)
	switch {
	case !listed:
		return "", fmt.Errorf("calls %s, which isn't allowed; the functions are and, b64enc, env, eq, json, ne, netrc, not, or, percent and print", name)
	case !f.takes(arguments):
		return "", fmt.Errorf("calls %s with something else than %s", name, f.wants)
	case f.makes == either:
		return arguments[0], nil
	default:
		return f.makes, nil
	}
}
