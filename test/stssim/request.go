// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"crypto/x509"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Kind says which sort of endpoint a call was made to.
type Kind string

// The kinds of endpoints. KindOther is every path that isn't served.
const (
	KindToken     Kind = "token"
	KindDiscovery Kind = "discovery"
	KindDevice    Kind = "device"
	KindOther     Kind = "other"
)

var kinds = []Kind{KindToken, KindDiscovery, KindDevice, KindOther}

// routes are tried in their order, so that /plain isn't taken for a tenant.
var routes = []struct {
	path  *regexp.Regexp
	kind  Kind
	plain bool
	mtls  bool // a client certificate is looked at
}{
	{regexp.MustCompile(`^/plain/([^/]+)/token$`), KindToken, true, false},
	{regexp.MustCompile(`^/plain/([^/]+)/mtls/token$`), KindToken, true, true},
	{regexp.MustCompile(`^/plain/([^/]+)/device$`), KindDevice, true, true},
	{regexp.MustCompile(`^/plain/([^/]+)/\.well-known/openid-configuration$`), KindDiscovery, true, false},
	// RFC 8414, section 3: the well-known part goes between host and path.
	{regexp.MustCompile(`^/\.well-known/oauth-authorization-server/plain/([^/]+)$`), KindDiscovery, true, false},
	{regexp.MustCompile(`^/([^/]+)/oauth2/v2\.0/token$`), KindToken, false, false},
	{regexp.MustCompile(`^/([^/]+)/oauth2/v2\.0/devicecode$`), KindDevice, false, false},
	{regexp.MustCompile(`^/([^/]+)/v2\.0/\.well-known/openid-configuration$`), KindDiscovery, false, false},
}

// maxRequest bounds what is read of a request's body, in bytes.
const maxRequest = 1 << 20

// request is a call as both services understand it.
type request struct {
	http    *http.Request
	number  int
	arrived time.Time

	kind   Kind
	plain  bool
	tenant string
	base   string // scheme and authority, as the caller named them

	body     []byte
	form     url.Values
	clientID string
	scope    string // sorted, one space between

	basic       bool // the Authorization header was used
	secret      string
	assertion   string
	certificate *x509.Certificate // presented in TLS, where that is looked at

	lifetime Duration // what a rule wants; zero leaves it to the client
}

// readRequest fails when the caller went away while sending, or sends more than
// maxRequest bytes.
func readRequest(r *http.Request, arrived time.Time) (*request, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxRequest))
	if err != nil {
		return nil, fmt.Errorf("reading request: %w", err)
	}
	req := &request{http: r, arrived: arrived, base: "https://" + r.Host, body: body, kind: KindOther, form: url.Values{}}
	for _, route := range routes {
		if match := route.path.FindStringSubmatch(r.URL.Path); match != nil {
			req.kind, req.plain, req.tenant = route.kind, route.plain, match[1]
			if route.mtls && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
				req.certificate = r.TLS.PeerCertificates[0]
			}
			break
		}
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && media == "application/x-www-form-urlencoded" {
		// A malformed pair is left out, so its parameter counts as missing.
		req.form, _ = url.ParseQuery(string(body))
	}
	req.clientID = req.form.Get("client_id")
	req.secret = req.form.Get("client_secret")
	req.assertion = req.form.Get("client_assertion")
	req.scope = normalScope(req.form.Get("scope"))
	if req.plain {
		req.readBasic()
	}
	return req, nil
}

// readBasic takes the client's identity from the Authorization header, where
// both parts are form-encoded (RFC 6749, section 2.3.1).
func (q *request) readBasic() {
	user, password, ok := q.http.BasicAuth()
	if !ok {
		return
	}
	q.basic = true
	id, idErr := url.QueryUnescape(user)
	secret, secretErr := url.QueryUnescape(password)
	if idErr == nil && secretErr == nil {
		q.clientID, q.secret = id, secret
	}
}

// issuer is the identifier in the discovery document of the same tenant.
func (q *request) issuer() string {
	if q.plain {
		return q.base + "/plain/" + q.tenant
	}
	return q.base + "/" + q.tenant + "/v2.0"
}

// tokenEndpoint is the one in the discovery document of the same tenant.
func (q *request) tokenEndpoint() string {
	if q.plain {
		return q.issuer() + "/token"
	}
	return q.base + "/" + q.tenant + "/oauth2/v2.0/token"
}

// audiences are the values that mean this server in an assertion's aud claim
// (RFC 7523, section 3, item 3): its issuer, its token endpoint, and the
// endpoint that was called.
func (q *request) audiences() []string {
	return []string{q.issuer(), q.tokenEndpoint(), q.base + q.http.URL.Path}
}

// credentials are the values of the request that must not appear elsewhere.
func (q *request) credentials() []string {
	list := []string{q.secret, q.assertion}
	if _, password, ok := q.http.BasicAuth(); ok {
		list = append(list, password)
	}
	for _, name := range []string{"assertion", "refresh_token", "subject_token", "actor_token", "device_code", "password"} {
		list = append(list, q.form.Get(name))
	}
	return list
}

func (q *request) authMethod() string {
	switch {
	case q.kind == KindDiscovery || q.kind == KindOther:
		return ""
	case strings.HasPrefix(q.http.Header.Get("Authorization"), "Basic "):
		return "client_secret_basic"
	case q.assertion != "":
		return "private_key_jwt"
	case q.secret != "":
		return "client_secret_post"
	case q.certificate != nil:
		return "tls_client_auth"
	default:
		return "none"
	}
}

// normalScope makes scopes comparable: their order has no meaning (RFC 6749,
// section 3.3).
func normalScope(scope string) string {
	fields := strings.Fields(scope)
	slices.Sort(fields)
	return strings.Join(fields, " ")
}
