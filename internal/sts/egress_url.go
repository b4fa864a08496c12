// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"tokenrequest.dev/operator/internal/oautherr"
)

// maxURL is the API's bound on a URL; those in a metadata document keep to it
// too.
const maxURL = 2048

const notAllowed = "the host is not among those that the operator allows"

// CheckURL refuses a URL that no call would be made to, as far as that can be
// told without the network: one that isn't https with a host, that has a user,
// a fragment or more than 2048 bytes, whose host is a denied address or could be
// taken for an address, or whose host isn't among the allowed ones. What a name
// resolves to is checked when it is dialled.
func (c *Client) CheckURL(raw string) *oautherr.Error {
	if why := c.egress.checkURL(raw); why != "" {
		return oautherr.Refused(oautherr.ReasonEndpointRefused, why)
	}
	return nil
}

// CheckProxy refuses a proxy that no call would be made through: one that isn't
// http or https without a user, or whose host isn't among the allowed ones. Empty
// is the environment's, which is the administrator's own.
func (c *Client) CheckProxy(raw string) *oautherr.Error {
	_, refused := c.egress.proxy(raw)
	return refused
}

// proxy returns the URL of a proxy, and nil for that of the environment. Whoever
// names both a proxy and the certificates to trust is sent what the endpoint is.
func (e egress) proxy(raw string) (*url.URL, *oautherr.Error) {
	if raw == "" {
		return nil, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, oautherr.Refused(oautherr.ReasonEndpointRefused, "the proxy is not an http or https URL without a user")
	}
	if len(e.hosts) == 0 {
		return u, nil // its address is checked when it is dialled
	}
	if why := e.checkHost(plainHost(u)); why != "" {
		return nil, oautherr.Refused(oautherr.ReasonEndpointRefused, "in the proxyURL, "+why)
	}
	return u, nil
}

// plainHost is a URL's host as it is compared.
func plainHost(u *url.URL) string {
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

func (e egress) checkURL(raw string) string {
	if len(raw) > maxURL {
		return "the URL has more than 2048 bytes"
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "the URL cannot be parsed" // err quotes it, a password included
	case u.Scheme != "https" || u.Hostname() == "":
		return "the URL is not https:// with a host"
	case u.User != nil:
		return "the URL has a user"
	case strings.Contains(raw, "#"):
		return "the URL has a fragment"
	default:
		return e.checkHost(plainHost(u))
	}
}

func (e egress) checkHost(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		if why := e.checkAddress(a); why != "" {
			return why
		}
		return e.checkAllowed(func(allowed string) bool { return a.String() == allowed })
	}
	if !hostName.MatchString(host) || addressLike.MatchString(host) {
		return "the host is neither an IP address nor a host name in ASCII"
	}
	if !e.loopback && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return "the host is localhost, and the operator does not allow that" // RFC 6761 section 6.3
	}
	return e.checkAllowed(func(allowed string) bool {
		return host == allowed || strings.HasSuffix(host, "."+allowed)
	})
}

// hostName leaves out other scripts: IDNA maps their digits and dots to ASCII,
// after this check.
var hostName = regexp.MustCompile(`^[a-z0-9._-]+$`)

// addressLike is what resolvers and proxies may take for an IPv4 address, such as
// 2130706433, 127.1 and 0x7f.0.0.1: a last label that is a number (the WHATWG
// URL Standard's "ends in a number").
var addressLike = regexp.MustCompile(`(^|\.)([0-9]+|0x[0-9a-f]*)$`)

func (e egress) checkAllowed(matches func(allowed string) bool) string {
	if len(e.hosts) > 0 && !slices.ContainsFunc(e.hosts, matches) {
		return notAllowed
	}
	return ""
}
