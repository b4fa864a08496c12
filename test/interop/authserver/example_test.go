// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package authserver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"tokenrequest.dev/operator/test/interop/authserver"
)

func ExampleStart() {
	server, err := authserver.Start(authserver.Options{
		Clients: []authserver.Client{{ID: "graph", Secret: "s3cret", Scopes: []string{"mail.read"}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.CAPEM())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	config := clientcredentials.Config{
		ClientID:     "graph",
		ClientSecret: "s3cret",
		TokenURL:     server.URL() + "/oauth2/token",
		Scopes:       []string{"mail.read"},
	}
	token, err := config.Token(context.WithValue(context.Background(), oauth2.HTTPClient, client))
	if err != nil {
		fmt.Println(err)
		return
	}
	issued := server.IssuedTokens()[0]
	fmt.Println(token.Type(), issued.ClientID, issued.Scopes)
	fmt.Println(token.AccessToken == issued.AccessToken)
	// Output:
	// Bearer graph [mail.read]
	// true
}
