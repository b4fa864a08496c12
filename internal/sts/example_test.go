// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"tokenrequest.dev/operator/internal/sts"
)

// One token, with the client credentials grant, from a server that is found
// through its metadata.
func Example() {
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q}`, server.URL, server.URL+"/token")
			return
		}
		_, _ = fmt.Fprint(w, `{"access_token":"s3cr3t","token_type":"Bearer","expires_in":3600}`)
	}))
	defer server.Close()

	client := sts.New(sts.Options{
		Now:              func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) },
		NewCorrelationID: func() string { return "c0ffee00-0000-4000-8000-000000000000" },
		AllowLoopback:    true, // this is a test server
	})
	certificate := pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	transport := sts.Transport{RootCAs: pem.EncodeToMemory(&certificate)}

	ctx := context.Background()
	metadata, failed := client.Discover(ctx, server.URL, transport)
	if failed != nil {
		fmt.Println(failed)
		return
	}
	token, failed := client.Token(ctx, sts.Request{
		Endpoint:     metadata.TokenEndpoint,
		Auth:         sts.DefaultAuthMethod(metadata),
		ClientID:     "orders",
		ClientSecret: "correct horse battery staple",
		Scopes:       []string{"invoices.read"},
		Transport:    transport,
	})
	if failed != nil {
		fmt.Println(failed)
		return
	}
	fmt.Println(token.TokenType, token.AccessToken, token.ExpiresAt.Format(time.RFC3339))
	// Output:
	// Bearer [redacted] 2030-01-02T04:04:05Z
}

// A user's token that is traded for one of another audience (RFC 8693), by a
// client that signs with its key.
func ExampleClient_Token_exchange() {
	pair, err := sts.ParseKeyPair(keyOfOrders()) // out of a kubernetes.io/tls Secret
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.PostFormValue("grant_type"))
		fmt.Println(r.PostFormValue("client_assertion_type"))
		_, _ = fmt.Fprint(w, `{"access_token":"s3cr3t","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:jwt"}`)
	}))
	defer server.Close()

	client := sts.New(sts.Options{
		Now:              func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) },
		NewCorrelationID: func() string { return "c0ffee00-0000-4000-8000-000000000000" },
		AllowLoopback:    true, // this is a test server
	})
	certificate := pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	token, failed := client.Token(context.Background(), sts.Request{
		Endpoint: server.URL,
		Auth:     sts.AuthPrivateKeyJWT,
		ClientID: "orders",
		Key:      &sts.SigningKey{Pair: pair, KeyID: "2030-01"},
		Grant: sts.Grant{
			Type:             sts.GrantTokenExchange,
			SubjectToken:     "the user's token",
			SubjectTokenType: "urn:ietf:params:oauth:token-type:access_token",
			Audiences:        []string{"invoices"},
		},
		Transport: sts.Transport{RootCAs: pem.EncodeToMemory(&certificate)},
	})
	if failed != nil {
		fmt.Println(failed)
		return
	}
	fmt.Println(token.AccessToken, token.IssuedTokenType)
	// Output:
	// urn:ietf:params:oauth:grant-type:token-exchange
	// urn:ietf:params:oauth:client-assertion-type:jwt-bearer
	// [redacted] urn:ietf:params:oauth:token-type:jwt
}
