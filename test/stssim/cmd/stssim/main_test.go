// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// session is a running command.
type session struct {
	ready ready
	stop  context.CancelFunc
	ended chan error
}

// begin runs the command until it says that it is ready.
func begin(t *testing.T, args ...string) session {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, writer, io.Discard)
		writer.CloseWithError(err)
		ended <- err
	}()
	line, err := bufio.NewReader(reader).ReadBytes('\n')
	if err != nil {
		t.Fatalf("reading the line of readiness: %v", err)
	}
	s := session{stop: cancel, ended: ended}
	if err := json.Unmarshal(line, &s.ready); err != nil {
		t.Fatalf("reading %q: %v", line, err)
	}
	return s
}

func TestCommandServesUntilStopped(t *testing.T) {
	directory := t.TempDir()
	ca, config := filepath.Join(directory, "ca.pem"), filepath.Join(directory, "stssim.yaml")
	if err := os.WriteFile(config, []byte("clients: [{tenant: solo, clientID: app}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := begin(t, "--ca-out", ca, "--config", config, "--hosts", "stssim.demo.svc,stssim")
	if s.ready.CAFile != ca {
		t.Errorf("caFile %q, want %q", s.ready.CAFile, ca)
	}
	bundle, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	for _, host := range []string{"", "stssim.demo.svc", "stssim"} {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: host}}}
		for path, want := range map[string]int{
			"/plain/solo/.well-known/openid-configuration": 200,
			"/plain/acme/.well-known/openid-configuration": 404, // the demo's clients were replaced
		} {
			answer, err := client.Get(s.ready.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("%s has status %d, want %d", path, answer.StatusCode, want)
			}
		}
	}
	s.stop()
	if err := <-s.ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestCommandHelp(t *testing.T) {
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, io.Discard, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("the error is %v", err)
	}
	for _, name := range []string{"-listen", "-hosts", "-config", "-ca-out"} {
		if !strings.Contains(help.String(), name) {
			t.Errorf("the help lacks %s:\n%s", name, help.String())
		}
	}
}

func TestCommandNamesWhatIsWrong(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("clinets: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"a file that isn't there", []string{"--config", broken + ".not"}, "reading configuration: "},
		{"a file with a mistake", []string{"--config", broken}, "parsing configuration: "},
		{"an address that is none", []string{"--listen", "nowhere:-1"}, "listening: "},
		{"a CA file that can't be written", []string{"--ca-out", filepath.Dir(broken)}, "writing CA certificate: "},
		{"an argument too many", []string{"serve"}, "unexpected argument \"serve\""},
		{"a flag that it doesn't know", []string{"--port", "1"}, "flag provided but not defined: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := run(t.Context(), test.args, io.Discard, io.Discard)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("the error is %v, want one that begins with %q", err, test.want)
			}
		})
	}
}
