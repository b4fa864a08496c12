// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

// A test starts a simulator, points the code under test at it, makes it
// misbehave and then asks what arrived.
func Example() {
	sim, err := stssim.Start(stssim.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()

	client := sim.HTTPClient() // or a client that trusts sim.CAPEM()
	endpoint := sim.EntraAuthority("contoso.onmicrosoft.com") + "/oauth2/v2.0/token"
	ask := func() *http.Response {
		answer, err := client.PostForm(endpoint, url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {"11111111-2222-3333-4444-555555555555"},
			"client_secret": {"stssim-demo-secret"},
			"scope":         {"https://graph.microsoft.com/.default"},
		})
		if err != nil {
			panic(err)
		}
		return answer
	}

	granted := ask()
	var token struct {
		Type      string `json:"token_type"`
		ExpiresIn int    `json:"expires_in"`
	}
	err = json.NewDecoder(granted.Body).Decode(&token)
	granted.Body.Close()
	fmt.Println(granted.StatusCode, token.Type, token.ExpiresIn, err)

	// The second call from now on is answered by a page of some proxy.
	err = sim.AddRules(stssim.Rule{
		Match:  stssim.Match{Kind: stssim.KindToken},
		From:   2,
		Times:  1,
		Action: stssim.Action{Status: 502, Body: "<html></html>", ContentType: "text/html"},
	})
	fmt.Println(ask().StatusCode, ask().StatusCode, ask().StatusCode, err)

	// This client has to wait, and doesn't.
	err = sim.SetThrottle(stssim.Throttle{
		ClientID: "11111111-2222-3333-4444-555555555555",
		For:      stssim.Duration(time.Minute),
	})
	fmt.Println(ask().StatusCode, ask().StatusCode, err)

	fmt.Println("refused:", len(sim.Calls(stssim.Filter{Status: 429})), "too early:", len(sim.ThrottleViolations()))

	// Output:
	// 200 Bearer 3599 <nil>
	// 200 502 200 <nil>
	// 429 429 <nil>
	// refused: 2 too early: 1
}
