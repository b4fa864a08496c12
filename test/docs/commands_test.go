// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pagesWithCommands are run in this order: a page may go on with what the one before has made.
var pagesWithCommands = []string{"README.md", specPage, operationsPage}

func TestInACluster(t *testing.T) {
	w := newWorld(t)
	for _, path := range pagesWithCommands {
		t.Run("the commands of "+path+" do what it says", func(t *testing.T) { w.testCommands(t, userPage(t, path)) })
	}
	t.Run("an upgrade keeps the flags of the kustomization in "+operationsPage, w.testOwnFlags)
	t.Run("the README's requests come to tokens", func(t *testing.T) {
		w.run(t, "wait", "-n", "payments", "--for=condition=Ready", "tokreq", "graph", "orders", "--timeout=60s")
	})
	t.Run("the README shows a refusal as it is", w.testRefusal)
	t.Run("the operator logs what the table of messages says", w.testLog)
	t.Run("the API server takes every example", w.testExamples)
	t.Run("the tables of requests have the columns that kubectl prints", w.testColumns)
	t.Run("kubectl knows the resources that are named", w.testResources)
}

// preamble takes the place of programs that the tests don't have, or that would change this machine.
// Pods don't run here, for there is no kubelet.
const preamble = `set -euo pipefail
trap 'echo "$at: $BASH_COMMAND" >&2' ERR
KEYCLOAK_SECRET=of-orders
make() {
  case "$*" in
  "deploy INSTALL="*) command kubectl kustomize "${2#INSTALL=}" | command kubectl apply --server-side -f - ;;
  esac
}
docker() { :; }
helm() { :; }
curl() { :; }
az() {
  case "$*" in
  "account show"*) echo contoso.onmicrosoft.com ;;
  "ad app create"*) echo 11111111-2222-3333-4444-555555555555 ;;
  "ad app credential reset"*) echo stssim-demo-secret ;;
  esac
}
kubectl() {
  case "$*" in
  logs*) cat "$OPERATOR_LOG" ;;
  rollout* | port-forward* | wait*pod/*) ;;
  *) command kubectl "$@" ;;
  esac
}
`

// testCommands runs the blocks of commands of a page as one script, beside the files of its examples
// that have a name.
func (w *world) testCommands(t *testing.T, p page) {
	folder := t.TempDir()
	script := preamble
	for _, b := range p.blocks {
		if name, named := fileName(b); named {
			saveExample(t, folder, name, b.text)
		}
		if b.language == "sh" {
			script += fmt.Sprintf("at=%s:%d\n%s", b.page, b.number, b.text)
		}
	}
	writeFile(t, filepath.Join(folder, "commands.sh"), script)
	bash := exec.CommandContext(t.Context(), "bash", "commands.sh")
	bash.Dir = folder
	bash.Env = append(os.Environ(), "KUBECONFIG="+w.kubeconfig, "OPERATOR_LOG="+w.operatorLog, "HOME="+folder,
		"PATH="+filepath.Dir(w.kubectl)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Log(output(t, bash))
}

// saveExample saves a file as a page has it, beside this repository's folder config.
func saveExample(t *testing.T, folder, name, text string) {
	t.Helper()
	config, err := filepath.Abs(filepath.Join(root, "config"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(config, filepath.Join(folder, "config")); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	path := filepath.Join(folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, text)
}

var nameOfExample = regexp.MustCompile(`^# ([a-z./-]+\.yaml)\n`)

// fileName is the name that an example is to be saved as.
func fileName(b block) (string, bool) {
	if match := nameOfExample.FindStringSubmatch(b.text); match != nil {
		return match[1], true
	}
	return "", false
}

const ownKustomization = "production/kustomization.yaml"

var flagOfPatch = regexp.MustCompile(`value: (--\S+)`)

// testOwnFlags looks for the flags of the page's kustomization where its commands have left them, and once
// more after an upgrade to another image, which is the same again.
func (w *world) testOwnFlags(t *testing.T) {
	folder := t.TempDir()
	var flags []string
	for _, b := range userPage(t, operationsPage).blocks {
		if name, _ := fileName(b); name == ownKustomization {
			saveExample(t, folder, name, b.text)
			for _, match := range flagOfPatch.FindAllStringSubmatch(b.text, -1) {
				flags = append(flags, match[1])
			}
		}
	}
	if len(flags) == 0 {
		t.Fatalf("%s has no flags in a %s", operationsPage, ownKustomization)
	}
	expect := func(after string) {
		args := strings.Fields(w.run(t, "get", "-n", "tokenrequest-system", "deployment", "tokenrequest-operator", "-o", "jsonpath={.spec.template.spec.containers[0].args[*]}"))
		for _, f := range flags {
			if !slices.Contains(args, f) {
				t.Errorf("after %s the operator is started with %q, which lacks %s", after, args, f)
			}
		}
	}
	expect("the page's commands")
	upgrade := w.command(t, "apply", "--server-side", "-f", "-")
	manifests := output(t, exec.CommandContext(t.Context(), w.kubectl, "kustomize", filepath.Join(folder, filepath.Dir(ownKustomization))))
	upgrade.Stdin = strings.NewReader(strings.ReplaceAll(manifests, "image: tokenrequest-operator:latest", "image: tokenrequest-operator:next"))
	output(t, upgrade)
	if image := w.run(t, "get", "-n", "tokenrequest-system", "deployment", "tokenrequest-operator", "-o", "jsonpath={.spec.template.spec.containers[0].image}"); image != "tokenrequest-operator:next" {
		t.Errorf("the upgrade left the image %s", image)
	}
	expect("an upgrade")
}

// testRefusal compares the message that the README shows with the one that the operator gives, but for
// the host, which is another one in the demo.
func (w *world) testRefusal(t *testing.T) {
	said := w.run(t, "get", "-n", "demo", "tokreq", "wrong-secret", "-o", `jsonpath={.status.conditions[?(@.type=="Issued")].message}`)
	_, said, found := strings.Cut(said, " ")
	if !found {
		t.Fatalf("the operator says %q", said)
	}
	for _, b := range userPage(t, "README.md").blocks {
		if strings.Contains(strings.Join(strings.Fields(b.text), " "), said) {
			return
		}
	}
	t.Errorf("the README doesn't show what the operator says of a wrong secret: %s", said)
}

// testLog looks in the operator's log for each message of the table with each of its keys.
func (w *world) testLog(t *testing.T) {
	seen := map[string]map[string]bool{}
	for text := range strings.Lines(string(readFile(t, w.operatorLog))) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(text), &entry); err != nil {
			t.Fatalf("the operator logs what isn't JSON: %s", text)
		}
		message, _ := entry["msg"].(string)
		if seen[message] == nil {
			seen[message] = map[string]bool{}
		}
		for key := range entry {
			seen[message][key] = true
		}
	}
	for _, row := range rows(userPage(t, operationsPage).section(t, "Logs")) {
		message := spans(row[0])[0]
		for _, key := range spans(row[1]) {
			if !seen[message][key] {
				t.Errorf("no message %q has the key %s", message, key)
			}
		}
	}
}

// testExamples has the API server judge every example that is a whole object.
func (w *world) testExamples(t *testing.T) {
	for _, p := range allPages(t) {
		for _, b := range p.blocks {
			if b.language != "yaml" || !strings.Contains(b.text, "apiVersion:") {
				continue
			}
			t.Run(fmt.Sprintf("%s:%d", b.page, b.number), func(t *testing.T) { w.testExample(t, b.text) })
		}
	}
}

var namespaceOfExample = regexp.MustCompile(`\bnamespace: ([a-z0-9-]+)`)

func (w *world) testExample(t *testing.T, text string) {
	for _, match := range namespaceOfExample.FindAllStringSubmatch(text, -1) {
		if w.run(t, "get", "namespace", match[1], "--ignore-not-found") == "" {
			w.run(t, "create", "namespace", match[1])
		}
	}
	apply := w.command(t, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
	apply.Stdin = strings.NewReader(text)
	output(t, apply)
}

// testColumns compares the heads of the tables that pages show.
func (w *world) testColumns(t *testing.T) {
	head, _, _ := strings.Cut(w.run(t, "get", "-n", "payments", "tokreq"), "\n")
	wide, _, _ := strings.Cut(w.run(t, "get", "-n", "payments", "tokreq", "-o", "wide"), "\n")
	shown := 0
	for _, p := range allPages(t) {
		for _, b := range p.blocks {
			got, _, _ := strings.Cut(b.text, "\n")
			if !strings.HasPrefix(got, "NAME ") {
				continue
			}
			shown++
			if !slices.Equal(strings.Fields(got), strings.Fields(head)) {
				t.Errorf("%s:%d: the columns are %s", b.page, b.number, head)
			}
		}
	}
	if shown == 0 {
		t.Error("no page shows a table of requests")
	}
	more := strings.Fields(strings.TrimPrefix(strings.Join(strings.Fields(wide), " "), strings.Join(strings.Fields(head), " ")))
	want := "CLIENT, AUTHORITY, ISSUER, USER CODE, SIGN IN AT, SUSPENDED, REFRESH ASKED and REFRESH DONE"
	if strings.Join(more, " ") != strings.NewReplacer(",", "", " and", "").Replace(want) || !strings.Contains(string(readFile(t, filepath.Join(root, specPage))), want) {
		t.Errorf("-o wide adds %s, and %s says %s", more, specPage, want)
	}
}

// inlineCommand is a command within a sentence: its verb and what follows.
var inlineCommand = regexp.MustCompile(`^kubectl (get|describe|annotate|patch|delete|explain|wait) (.+)$`)

// testResources looks at the commands within sentences, which aren't run.
func (w *world) testResources(t *testing.T) {
	known := map[string]bool{}
	for l := range strings.SplitSeq(w.run(t, "api-resources", "--no-headers"), "\n") {
		columns := strings.Fields(l)
		if len(columns) < 4 {
			continue
		}
		group, _, grouped := strings.Cut(columns[len(columns)-3], "/")
		names := []string{columns[0], strings.ToLower(columns[len(columns)-1])}
		if len(columns) == 5 {
			names = append(names, strings.Split(columns[1], ",")...)
		}
		for _, name := range names {
			known[name] = true
			known[name+"."+group] = grouped
		}
	}
	for _, p := range allPages(t) {
		for _, l := range p.lines {
			for _, span := range spans(l.text) {
				match := inlineCommand.FindStringSubmatch(span)
				if match == nil || strings.HasPrefix(match[2], "-f") { // a file names its resources itself
					continue
				}
				resource, path := split(firstArgument(match[2]), match[1] == "explain")
				if !known[resource] {
					t.Errorf("%s:%d: kubectl knows no %s", p.path, l.number, resource)
				}
				if path != "" {
					w.run(t, "explain", resource+"."+path)
				}
			}
		}
	}
}

// firstArgument is the first word that is neither a flag nor the value of one.
func firstArgument(words string) string {
	value := false
	for word := range strings.FieldsSeq(words) {
		switch {
		case value:
			value = false
		case word == "-n", word == "-o", word == "-l":
			value = true
		case !strings.HasPrefix(word, "-"):
			return word
		}
	}
	return ""
}

// split takes an object's name, or the path of a field that is to be explained, from a resource.
func split(argument string, explained bool) (resource, path string) {
	if !explained {
		resource, _, _ = strings.Cut(argument, "/")
		return resource, ""
	}
	for _, start := range []string{".spec", ".status"} {
		if before, after, found := strings.Cut(argument, start); found {
			return before, strings.TrimPrefix(start, ".") + after
		}
	}
	return argument, ""
}
