// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command stssim runs the STS simulator until it is told to stop.
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
	"strings"
	"syscall"

	"tokenrequest.dev/operator/test/stssim"
)

const usage = `stssim is a security token service for tests and demonstrations.

When it is ready it prints one line of JSON, {"url":...,"caFile":...}; SIGTERM
or an interrupt ends it. Who may ask for tokens, which paths it serves, how it
is made to fail and the administration below /_admin/:
go doc tokenrequest.dev/operator/test/stssim

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "stssim:", err)
		os.Exit(1)
	}
}

// ready is the line that says where the server is.
type ready struct {
	URL    string `json:"url"`
	CAFile string `json:"caFile,omitempty"`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("stssim", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	listen := flags.String("listen", "127.0.0.1:0", "TCP `address` to serve on; port 0 takes a free one")
	hosts := flags.String("hosts", "", "DNS `names` and IP addresses, comma separated, that the certificate is also for")
	configFile := flags.String("config", "", "YAML or JSON `file` with clients, rules and throttles; without clients the demo's are registered")
	caFile := flags.String("ca-out", "", "`file` to write the CA certificate to, in PEM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	config, err := readConfig(*configFile)
	if err != nil {
		return err
	}
	server, err := stssim.Start(stssim.Options{
		Listen:          *listen,
		Hosts:           strings.FieldsFunc(*hosts, func(r rune) bool { return r == ',' || r == ' ' }),
		Clients:         config.Clients,
		Rules:           config.Rules,
		Throttles:       config.Throttles,
		MultilineErrors: config.MultilineErrors,
	})
	if err != nil {
		return err
	}
	defer server.Close()
	if *caFile != "" {
		if err := os.WriteFile(*caFile, server.CAPEM(), 0o644); err != nil {
			return fmt.Errorf("writing CA certificate: %w", err)
		}
	}
	if err := json.NewEncoder(stdout).Encode(ready{URL: server.URL(), CAFile: *caFile}); err != nil {
		return fmt.Errorf("announcing: %w", err)
	}
	<-ctx.Done()
	return nil
}

func readConfig(file string) (stssim.Config, error) {
	if file == "" {
		return stssim.Config{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return stssim.Config{}, fmt.Errorf("reading configuration: %w", err)
	}
	return stssim.ParseConfig(data)
}
