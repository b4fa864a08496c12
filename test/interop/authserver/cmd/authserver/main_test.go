// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const clientsYAML = `clients:
- id: graph
  secret: s3cret
  authMethod: client_secret_post
  scopes: [mail.read]
`

func TestTheAnnouncedServerIssuesTokensUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	stdout, stdoutWriter := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"--clients", write(t, clientsYAML), "--ca-out", caFile}, stdoutWriter)
		stdoutWriter.CloseWithError(io.EOF) // a run that fails early must not leave the test reading
		ended <- err
	}()

	var line struct{ URL, CAFile string }
	if err := json.NewDecoder(stdout).Decode(&line); err != nil {
		t.Fatalf("reading the announcement: %v; run() = %v", err, <-ended)
	}
	if line.CAFile != caFile {
		t.Errorf("caFile = %q, want %q", line.CAFile, caFile)
	}
	config := clientcredentials.Config{
		ClientID: "graph", ClientSecret: "s3cret", AuthStyle: oauth2.AuthStyleInParams,
		Scopes: []string{"mail.read"}, TokenURL: line.URL + "/oauth2/token",
	}
	client := trusting(t, line.CAFile)
	if _, err := config.Token(context.WithValue(t.Context(), oauth2.HTTPClient, client)); err != nil {
		t.Error(err)
	}

	stop()
	if err := <-ended; err != nil {
		t.Errorf("run() = %v, want nil after a stop", err)
	}
	if response, err := client.Get(line.URL); err == nil {
		response.Body.Close()
		t.Errorf("GET after the stop = %s, want an error", response.Status)
	}
}

func TestHelpExplainsEveryFlagAndTheFileOfClients(t *testing.T) {
	var stdout bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &stdout); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"-listen", "-clients", "-ca-out", "-format", "-lifespan", "authMethod:", "/oauth2/token"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the help lacks %q:\n%s", want, &stdout)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	clients, caFile := write(t, clientsYAML), filepath.Join(t.TempDir(), "ca.pem")
	tests := map[string]struct {
		args []string
		want string
	}{
		"no flags":                      {nil, "--clients and --ca-out are required"},
		"an unknown flag":               {[]string{"--client", "graph:s3cret"}, "-client"},
		"an argument":                   {[]string{"serve"}, `unexpected argument "serve"`},
		"a file that isn't there":       {[]string{"--clients", caFile + ".absent", "--ca-out", caFile}, "reading the clients"},
		"a misspelt member of the file": {[]string{"--clients", write(t, `{"clients": [{"id": "a", "secrets": "b"}]}`), "--ca-out", caFile}, "secrets"},
		"a client without a secret":     {[]string{"--clients", write(t, `{"clients": [{"id": "a"}]}`), "--ca-out", caFile}, "a secret is needed"},
		"an unknown format":             {[]string{"--clients", clients, "--ca-out", caFile, "--format", "saml"}, "unknown token format"},
		"a CA file in no directory":     {[]string{"--clients", clients, "--ca-out", filepath.Join(caFile, "ca.pem")}, "writing the CA"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout bytes.Buffer
			err := run(t.Context(), test.args, &stdout)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("run() = %v, want an error with %q", err, test.want)
			}
			if stdout.Len() > 0 {
				t.Errorf("run() announces %s", &stdout)
			}
		})
	}
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clients.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func trusting(t *testing.T, caFile string) *http.Client {
	t.Helper()
	caPEM, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(caPEM)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}
