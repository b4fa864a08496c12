// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
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
type fields struct {
	AccessToken, TokenType, IssuedTokenType, Scope, IssuedAt, ExpiresAt string
}

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

// compile reads one template, and says whether it may write the token. Of Go's language text, fields, pipelines, if and the listed functions
// are left: no loops, variables, definitions or methods. A list of what is allowed is checked against
// the tree that Go's own parser has made, so that what a later Go adds is refused until somebody has
// thought of it.
func compile(key, source string) (compiled *template.Template, token bool, err error) {
	if len(source) > longestTemplate {
		return nil, false, &TemplateError{key, "is longer than 8 KiB"}
	}
	parsed, err := template.New(key).Option("missingkey=error").Funcs(encoders()).Parse(source)
	if err != nil {
		return nil, false, &TemplateError{key, "can't be read: " + complaint(err)}
	}
	if len(parsed.Templates()) > 1 || parsed.Tree == nil {
		return nil, false, &TemplateError{key, "defines another template; write one text"}
	}
	r := reader{}
	if err := r.list(parsed.Root); err != nil {
		return nil, false, &TemplateError{key, err.Error()}
	}
	return parsed, r.token, nil
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

func (r *reader) list(list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		if err := r.node(node); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) node(node parse.Node) error {
	switch n := node.(type) {
	case *parse.TextNode, *parse.CommentNode:
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
		if err := r.list(n.List); err != nil {
			return err
		}
		return r.list(n.ElseList)
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

// pipe returns what a pipeline makes: each command is handed what the one before made, as its last
// argument.
func (r *reader) pipe(pipe *parse.PipeNode) (value, error) {
	if len(pipe.Decl) > 0 {
		return "", errors.New("declares a variable, which isn't allowed; write the pipeline where its value is used")
	}
	var handed []value
	for _, command := range pipe.Cmds {
		made, err := r.command(command, handed)
		if err != nil {
			return "", err
		}
		handed = []value{made}
	}
	return handed[0], nil
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

// signature is how a function is called, and what it makes.
type signature struct {
	takes func(arguments []value) bool
	wants string // in words that follow "something else than"
	makes func(arguments []value) value
}

func signatureOf(name string) (signature, bool) {
	always := func(v value) func([]value) value { return func([]value) value { return v } }
	switch name {
	case "b64enc", "json", "percent", "netrc", "env":
		return signature{func(a []value) bool { return len(a) == 1 && a[0] == text }, "one text", always(text)}, true
	case "print":
		return signature{func(a []value) bool { return len(a) > 0 && alike(a) && a[0] == text }, "texts", always(text)}, true
	case "eq", "ne":
		return signature{func(a []value) bool { return len(a) == 2 && alike(a) && a[0] == text }, "two texts", always(truth)}, true
	case "not":
		return signature{func(a []value) bool { return len(a) == 1 }, "one value", always(truth)}, true
	case "and", "or":
		return signature{func(a []value) bool { return len(a) > 0 && alike(a) }, "values of one kind", func(a []value) value { return a[0] }}, true
	default:
		return signature{}, false
	}
}

// alike says that no two of the values, of which there is one at least, are of different kinds.
func alike(values []value) bool {
	return !slices.ContainsFunc(values, func(v value) bool { return v != values[0] })
}

// resultOf is what a function makes of such arguments.
func resultOf(name string, arguments []value) (value, error) {
	s, listed := signatureOf(name)
	switch {
	case !listed:
		return "", fmt.Errorf("calls %s, which isn't allowed; the functions are and, b64enc, env, eq, json, ne, netrc, not, or, percent and print", name)
	case !s.takes(arguments):
		return "", fmt.Errorf("calls %s with something else than %s", name, s.wants)
	default:
		return s.makes(arguments), nil
	}
}
