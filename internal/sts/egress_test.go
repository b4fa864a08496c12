// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"net/netip"
	"strings"
	"testing"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// strict is what an operator in production has.
func strict() sts.Options {
	o := options()
	o.AllowLoopback = false
	o.DeniedCIDRs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	return o
}

func TestCheckURL(t *testing.T) {
	const (
		noAddress = "the host is neither an IP address nor a host name in ASCII"
		loopback  = "the host has a loopback address, and the operator does not allow those"
		linkLocal = "the host has a link-local address"
		notOne    = "the host has an address that is not one host's"
		denied    = "the host has an address that the operator denies"
		localhost = "the host is localhost, and the operator does not allow that"
		notHTTPS  = "the URL is not https:// with a host"
	)
	tests := map[string]struct{ url, why string }{
		"a name passes":                                       {"https://login.microsoftonline.com/t/oauth2/v2.0/token", ""},
		"a name with port and query passes":                   {"https://sts.example.com:8443/token?x=y", ""},
		"a name that ends in a dot passes":                    {"https://sts.example.com./token", ""},
		"a name in the cluster passes":                        {"https://sts_1.ns.svc/token", ""},
		"a name in punycode passes":                           {"https://xn--bcher-kva.example/token", ""},
		"a public address passes":                             {"https://192.0.2.1/token", ""},
		"a public IPv6 address passes":                        {"https://[2001:db8::1]/token", ""},
		"nothing is refused":                                  {"", notHTTPS},
		"http is refused":                                     {"http://sts.example.com/token", notHTTPS},
		"another protocol is refused":                         {"ldaps://sts.example.com/token", notHTTPS},
		"https without a host is refused":                     {"https:///token", notHTTPS},
		"https with only a port is refused":                   {"https://:443/token", notHTTPS},
		"https without slashes is refused":                    {"https:sts.example.com", notHTTPS},
		"what doesn't parse is refused":                       {"https://sts.example.com/%zz", "the URL cannot be parsed"},
		"a control character is refused":                      {"https://sts.example.com/\x7f", "the URL cannot be parsed"},
		"a user is refused":                                   {"https://user@sts.example.com/token", "the URL has a user"},
		"a password is refused":                               {"https://u:" + secretCanary[:8] + "@sts.example.com/token", "the URL has a user"},
		"a fragment is refused":                               {"https://sts.example.com/token#x", "the URL has a fragment"},
		"an empty fragment is refused":                        {"https://sts.example.com/token#", "the URL has a fragment"},
		"a URL of 2048 bytes passes":                          {"https://sts.example.com/" + strings.Repeat("x", 2048-24), ""},
		"a URL of 2049 bytes is refused":                      {"https://sts.example.com/" + strings.Repeat("x", 2049-24), "the URL has more than 2048 bytes"},
		"loopback is refused":                                 {"https://127.0.0.1/token", loopback},
		"all of 127/8 is refused":                             {"https://127.255.255.254/token", loopback},
		"IPv6 loopback is refused":                            {"https://[::1]/token", loopback},
		"loopback in IPv6 clothes is refused":                 {"https://[::ffff:127.0.0.1]/token", loopback},
		"the metadata service is refused":                     {"https://169.254.169.254/token", linkLocal},
		"the metadata service in IPv6 clothes is refused":     {"https://[::ffff:a9fe:a9fe]/token", linkLocal},
		"IPv6 link-local is refused":                          {"https://[fe80::1]/token", linkLocal},
		"IPv6 link-local with a zone is refused":              {"https://[fe80::1%25eth0]/token", linkLocal},
		"the unspecified address is refused":                  {"https://0.0.0.0/token", notOne},
		"the unspecified IPv6 address is refused":             {"https://[::]/token", notOne},
		"multicast is refused":                                {"https://224.0.0.1/token", notOne},
		"IPv6 multicast is refused":                           {"https://[ff02::1]/token", notOne},
		"broadcast is refused":                                {"https://255.255.255.255/token", notOne},
		"a denied address is refused":                         {"https://10.1.2.3/token", denied},
		"a denied address in IPv6 clothes is refused":         {"https://[::ffff:10.1.2.3]/token", denied},
		"a denied IPv6 address is refused":                    {"https://[fd00::1]/token", denied},
		"a denied IPv6 address with a zone is refused":        {"https://[fd00::1%25eth0]/token", denied},
		"localhost is refused":                                {"https://localhost/token", localhost},
		"localhost in another case is refused":                {"https://LocalHost/token", localhost},
		"localhost with a dot is refused":                     {"https://localhost./token", localhost},
		"a name below localhost is refused":                   {"https://sts.localhost/token", localhost},
		"an address as one number is refused":                 {"https://2130706433/token", noAddress},
		"an address as one hexadecimal number is refused":     {"https://0x7f000001/token", noAddress},
		"an address with a hexadecimal part is refused":       {"https://127.0.0.0x1/token", noAddress},
		"an address with missing parts is refused":            {"https://127.1/token", noAddress},
		"an address with octal parts is refused":              {"https://0177.0.0.01/token", noAddress},
		"an address in full-width digits is refused":          {"https://１２７.0.0.1/token", noAddress},
		"an address in circled digits is refused":             {"https://①②⑦.⓪.⓪.①/token", noAddress},
		"localhost in full-width letters is refused":          {"https://ｌｏｃａｌｈｏｓｔ/token", noAddress},
		"an address with an ideographic full stop is refused": {"https://169。254。169。254/token", noAddress},
		"an escaped host is refused":                          {"https://%31%32%37.0.0.1/token", "the URL cannot be parsed"},
	}
	client := sts.New(strict())
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { wantRefusal(t, client.CheckURL(tc.url), tc.why) })
	}
}

func TestCheckURLWithLoopbackAllowed(t *testing.T) {
	o := strict()
	o.AllowLoopback = true
	o.DeniedCIDRs = append(o.DeniedCIDRs, netip.MustParsePrefix("127.0.0.64/26"))
	tests := map[string]struct{ url, why string }{
		"loopback passes":                  {"https://127.0.0.1/token", ""},
		"IPv6 loopback passes":             {"https://[::1]/token", ""},
		"localhost passes":                 {"https://localhost/token", ""},
		"denied loopback is still refused": {"https://127.0.0.65/token", "the host has an address that the operator denies"},
		"link-local is still refused":      {"https://169.254.169.254/token", "the host has a link-local address"},
		"unspecified is still refused":     {"https://0.0.0.0/token", "the host has an address that is not one host's"},
	}
	client := sts.New(o)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { wantRefusal(t, client.CheckURL(tc.url), tc.why) })
	}
}

func TestCheckURLAllowsHosts(t *testing.T) {
	const notAllowed = "the host is not among those that the operator allows"
	o := strict()
	o.AllowedHosts = []string{"Example.COM", ".example.org", "192.0.2.1", "10.0.0.1", "2001:db8::1"}
	tests := map[string]struct{ url, why string }{
		"the host itself passes":                       {"https://example.com/token", ""},
		"a host below it passes":                       {"https://a.b.example.com/token", ""},
		"case doesn't count":                           {"https://A.EXAMPLE.com/token", ""},
		"a dot at the end doesn't count":               {"https://a.example.com./token", ""},
		"a dot at the beginning of the entry doesn't":  {"https://example.org/token", ""},
		"a host that merely ends alike is refused":     {"https://evilexample.com/token", notAllowed},
		"a host above it is refused":                   {"https://com/token", notAllowed},
		"a host that begins alike is refused":          {"https://example.com.evil.net/token", notAllowed},
		"an address passes":                            {"https://192.0.2.1/token", ""},
		"an address in another spelling passes":        {"https://[2001:db8:0:0::1]/token", ""},
		"another address is refused":                   {"https://192.0.2.2/token", notAllowed},
		"an address that ends alike is refused":        {"https://1.192.0.2/token", notAllowed},
		"an allowed address that is denied is refused": {"https://10.0.0.1/token", "the host has an address that the operator denies"},
	}
	client := sts.New(o)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { wantRefusal(t, client.CheckURL(tc.url), tc.why) })
	}
}

// A name says nothing about where it leads: these are refused when dialled.
func TestTokenRefusesNamesThatResolveToDeniedAddresses(t *testing.T) {
	s := serve(t, answers(200, success))
	o := options()
	o.DeniedCIDRs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	client := sts.New(o)
	request := s.request()
	request.Endpoint = strings.Replace(request.Endpoint, "127.0.0.1", "localhost", 1)
	wantRefusal(t, client.CheckURL(request.Endpoint), "")
	ctx, connects := countConnects(t.Context())
	_, err := client.Token(ctx, request)
	wantRefusal(t, err, "the host has an address that the operator denies")
	if resolved := connects.Load(); resolved > 2 { // one for each family
		t.Errorf("connected %d times, want no retry", resolved)
	}
	s.wantCalls(t, 0)
}

func wantRefusal(t *testing.T, err *oautherr.Error, why string) {
	t.Helper()
	switch {
	case why == "" && err != nil:
		t.Errorf("got %v, want no error", err)
	case why != "" && (err == nil || err.Detail != why || err.Reason != oautherr.ReasonEndpointRefused):
		t.Errorf("got %v, want the refusal %q", err, why)
	}
	if err != nil {
		wantNoCanary(t, "the error", show(t, *err))
	}
}
