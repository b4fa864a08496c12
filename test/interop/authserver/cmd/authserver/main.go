// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command authserver runs an OAuth 2.0 authorization server for tests and demos
// in a process of its own. When it is ready it prints one line of JSON on
// standard output, with the server's URL and the file that holds its CA:
//
//	{"url":"https://127.0.0.1:41234","caFile":"/tmp/ca.pem"}
//
// SIGINT and SIGTERM end it, with exit status 0. -h explains the flags and the
// file of clients.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"sigs.k8s.io/yaml"

	"tokenrequest.dev/operator/test/interop/authserver"
)

const introduction = `authserver runs an OAuth 2.0 authorization server for tests, over HTTPS with a CA
of its own. When it is ready it prints {"url": ..., "caFile": ...} in one line.

Usage: authserver --clients FILE --ca-out FILE [flags]

The file of clients is YAML or JSON:

  clients:
  - id: graph
    secret: correct horse battery staple   # at most 72 bytes
    authMethod: client_secret_post         # default client_secret_basic
    scopes: [mail.read, mail.send]         # what it may request, compared exactly
  - id: calendar
    authMethod: private_key_jwt
    jwks: {keys: [...]}                    # public keys of "use": "sig"
    signingAlgorithm: ES256                # default RS256

Endpoints, below the URL:

  POST /oauth2/token                            grant_type=client_credentials; what the other
                                                grants need is registered in Go alone
  GET  /.well-known/openid-configuration
  GET  /.well-known/oauth-authorization-server
  GET  /.well-known/jwks.json                   with --format jwt

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "authserver:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	options, caFile, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	server, err := authserver.Start(options)
	if err != nil {
		return err
	}
	if err := announce(server, caFile, stdout); err != nil {
		return errors.Join(err, server.Close())
	}
	<-ctx.Done()
	return server.Close()
}

// parse returns flag.ErrHelp once it has written the help that was asked for.
func parse(args []string, stdout io.Writer) (options authserver.Options, caFile string, err error) {
	flags := flag.NewFlagSet("authserver", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is main's to print
	flags.Usage = func() {}
	var clientsFile, format string
	flags.StringVar(&options.Listen, "listen", "127.0.0.1:0", "`host:port` to listen on; the host becomes the issuer's, port 0 picks a free one")
	flags.StringVar(&clientsFile, "clients", "", "`file` of clients (required)")
	flags.StringVar(&caFile, "ca-out", "", "`file` to write the CA certificate to, as PEM (required)")
	flags.StringVar(&format, "format", string(authserver.JWT), "access tokens: jwt or opaque")
	flags.DurationVar(&options.Lifespan, "lifespan", 0, "how long an access token lives (default 1h)")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stdout)
		fmt.Fprint(stdout, introduction)
		flags.PrintDefaults()
		return options, "", err
	} else if err != nil {
		return options, "", fmt.Errorf("%w (-h explains the flags)", err)
	}
	if flags.NArg() > 0 {
		return options, "", fmt.Errorf("unexpected argument %q (-h explains the flags)", flags.Arg(0))
	}
	if clientsFile == "" || caFile == "" {
		return options, "", errors.New("--clients and --ca-out are required (-h explains them)")
	}
	options.TokenFormat = authserver.TokenFormat(format)
	options.Clients, err = readClients(clientsFile)
	return options, caFile, err
}

func readClients(path string) ([]authserver.Client, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the clients: %w", err)
	}
	var file struct {
		Clients []authserver.Client `json:"clients"`
	}
	if err := yaml.UnmarshalStrict(content, &file); err != nil {
		return nil, fmt.Errorf("parsing %s: %w", path, err)
	}
	return file.Clients, nil
}

// announce writes the CA, then the line that says so: who has read the line can
// read the file.
func announce(server *authserver.Server, caFile string, stdout io.Writer) error {
	caFile, err := filepath.Abs(caFile)
	if err != nil {
		return fmt.Errorf("resolving the CA's file name: %w", err)
	}
	if err := os.WriteFile(caFile, server.CAPEM(), 0o644); err != nil {
		return fmt.Errorf("writing the CA: %w", err)
	}
	line := struct {
		URL    string `json:"url"`
		CAFile string `json:"caFile"`
	}{server.URL(), caFile}
	if err := json.NewEncoder(stdout).Encode(line); err != nil {
		return fmt.Errorf("announcing the server: %w", err)
	}
	return nil
}
