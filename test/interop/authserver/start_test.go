// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"tokenrequest.dev/operator/test/interop/authserver"
)

// start returns a server that the end of the test closes.
func start(t *testing.T, options authserver.Options) *authserver.Server {
	t.Helper()
	server, err := authserver.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("closing the server: %v", err)
		}
	})
	return server
}

// trusting returns an HTTP client with the server's CA as its one trust root.
func trusting(t *testing.T, server *authserver.Server) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(server.CAPEM()) {
		t.Fatalf("CAPEM() holds no certificate: %q", server.CAPEM())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// request asks for a token as golang.org/x/oauth2 does.
func request(t *testing.T, server *authserver.Server, config clientcredentials.Config) (*oauth2.Token, error) {
	t.Helper()
	config.TokenURL = server.URL() + "/oauth2/token"
	return config.Token(context.WithValue(t.Context(), oauth2.HTTPClient, trusting(t, server)))
}

func TestStartRefuses(t *testing.T) {
	tests := map[string]struct {
		options authserver.Options
		want    string
	}{
		"an address without a port": {
			authserver.Options{Listen: "127.0.0.1"}, "missing port",
		},
		"an address without a host, since the issuer needs one": {
			authserver.Options{Listen: ":0"}, "a host is needed",
		},
		"an unspecified address, since no client can connect to it": {
			authserver.Options{Listen: "0.0.0.0:0"}, "a host is needed",
		},
		"a negative lifespan": {
			authserver.Options{Lifespan: -time.Second}, "has to be positive",
		},
		"an unknown token format": {
			authserver.Options{TokenFormat: "saml"}, `unknown token format "saml"`,
		},
		"an unknown authentication method": {
			authserver.Options{AuthMethods: []authserver.AuthMethod{"tls_client_auth"}}, `unknown authentication method "tls_client_auth"`,
		},
		"a client whose authentication method the server doesn't support": {
			authserver.Options{
				AuthMethods: []authserver.AuthMethod{authserver.ClientSecretPost}, Clients: []authserver.Client{{ID: "graph", Secret: "a"}},
			}, `client "graph": unknown authentication method "client_secret_basic"`,
		},
		"a client that can't be registered": {
			authserver.Options{Clients: []authserver.Client{{ID: "graph"}}}, `client "graph": a secret is needed`,
		},
		"two clients of one id": {
			authserver.Options{Clients: []authserver.Client{{ID: "graph", Secret: "a"}, {ID: "graph", Secret: "b"}}}, "the id is taken",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server, err := authserver.Start(test.options)
			if err == nil {
				t.Fatalf("Start() serves %s, want an error", server.URL())
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("Start() = %q, want an error with %q", err, test.want)
			}
		})
	}
}

func TestTheHostThatWasAskedForIsTheIssuerAndInTheCertificate(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "localhost"} {
		t.Run(host, func(t *testing.T) {
			server := start(t, authserver.Options{Listen: host + ":0"})
			if want := "https://" + host + ":"; !strings.HasPrefix(server.URL(), want) {
				t.Errorf("URL() = %q, want %s and a port", server.URL(), want)
			}
			response, err := trusting(t, server).Get(server.URL() + "/.well-known/openid-configuration")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		})
	}
}

func TestAClientThatTrustsAnotherCAIsNotServed(t *testing.T) {
	server, other := start(t, authserver.Options{}), start(t, authserver.Options{})
	_, err := trusting(t, other).Get(server.URL() + "/.well-known/openid-configuration")
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("GET with another server's CA: %v, want an unknown authority", err)
	}
	if got := server.Calls(); got != (authserver.Calls{}) {
		t.Errorf("Calls() = %+v, want none", got)
	}
}

func TestAClosedServerAnswersNobodyAndCanBeClosedAgain(t *testing.T) {
	server, err := authserver.Start(authserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := server.Close(); err != nil {
			t.Fatalf("Close() = %v", err)
		}
	}
	if response, err := trusting(t, server).Get(server.URL()); err == nil {
		response.Body.Close()
		t.Errorf("GET after Close() = %s, want an error", response.Status)
	}
}
