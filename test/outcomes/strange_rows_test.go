// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"fmt"
	"net/http"
	"time"

	"tokenrequest.dev/operator/test/stssim"
)

const maintenancePage = "<html><body><h1>Down for maintenance</h1></body></html>"

// strangeRows are refusals and failures that no OAuth error explains.
var strangeRows = []row{
	bare(http.StatusInternalServerError, "an HTML page", page, unavailable),
	bare(http.StatusInternalServerError, "an empty body", empty, unavailable),
	bare(http.StatusBadGateway, "an HTML page", page, unavailable),
	bare(http.StatusServiceUnavailable, "an empty body", empty, unavailable),
	bare(http.StatusGatewayTimeout, "an empty body", empty, unavailable),
	bare(http.StatusInternalServerError, "the JSON of server_error", stssim.Action{Error: &stssim.ErrorBody{Error: "server_error", Description: "AADSTS90012: the request timed out.", Codes: []int{90012}}}, unavailable),
	bare(http.StatusInternalServerError, "the JSON of invalid_client", stssim.Action{Error: &stssim.ErrorBody{Error: "invalid_client", Description: "Wrong secret"}}, unavailable),
	bare(http.StatusRequestTimeout, "an empty body", empty, unavailable),
	bare(http.StatusBadRequest, "an empty body", empty, unavailable),
	bare(http.StatusBadRequest, "an HTML page", page, unavailable),
	bare(http.StatusBadRequest, "an empty JSON object", stssim.Action{Body: "{}"}, unavailable),
	bare(http.StatusUnauthorized, "an empty body", empty, refused),
	bare(http.StatusUnauthorized, "a WWW-Authenticate header alone", stssim.Action{
		Headers: map[string]string{"WWW-Authenticate": `Bearer realm="sts", error="invalid_token", error_description="expired"`}}, refused),
	bare(http.StatusForbidden, "an HTML page", page, unavailable),
	bare(http.StatusNotFound, "an empty body", empty, unavailable),
	bare(http.StatusMethodNotAllowed, "an empty body", empty, unavailable),
	bare(http.StatusProxyAuthRequired, "an empty body", empty, unavailable),
	bare(http.StatusGone, "an empty body", empty, unavailable),
	bare(http.StatusRequestEntityTooLarge, "an HTML page", page, unavailable),
	redirecting(http.StatusMovedPermanently),
	redirecting(http.StatusFound),
	redirecting(http.StatusTemporaryRedirect),
	redirecting(http.StatusPermanentRedirect),
}

var (
	empty = stssim.Action{}
	page  = stssim.Action{Body: maintenancePage, ContentType: "text/html"}
)

// bare is an answer of a status with something for a body.
func bare(status int, what string, act stssim.Action, wait time.Duration) row {
	act.Status = status
	return row{name: fmt.Sprintf("%d with %s", status, what), does: fmt.Sprintf("The STS, or something before it, answers %d with %s.", status, what),
		act: act, calls: 1, wait: wait}
}

func redirecting(status int) row {
	return row{name: fmt.Sprintf("Redirect %d", status), does: fmt.Sprintf("The STS answers %d and names another address.", status),
		act:   stssim.Action{Status: status, Headers: map[string]string{"Location": "https://elsewhere.example/token"}},
		calls: 1, wait: unavailable}
}
