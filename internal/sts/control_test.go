// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"net/netip"
	"testing"

	"tokenrequest.dev/operator/internal/oautherr"
)

func TestControlRefusesResolvedAddresses(t *testing.T) {
	denied := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	tests := map[string]struct {
		address  string
		loopback bool
		want     bool
	}{
		"a public address":                      {"192.0.2.1:443", false, true},
		"a public IPv6 address":                 {"[2001:db8::1]:443", false, true},
		"a loopback address":                    {"127.0.0.1:443", false, false},
		"a loopback address that is allowed":    {"127.0.0.1:443", true, true},
		"an IPv6 loopback address":              {"[::1]:443", false, false},
		"a loopback address in IPv6 clothes":    {"[::ffff:127.0.0.1]:443", false, false},
		"a link-local address":                  {"169.254.169.254:443", true, false},
		"a link-local IPv6 address with a zone": {"[fe80::1%eth0]:443", true, false},
		"a link-local address in IPv6 clothes":  {"[::ffff:169.254.1.1]:443", true, false},
		"an unspecified address":                {"0.0.0.0:443", true, false},
		"an unspecified IPv6 address":           {"[::]:443", true, false},
		"a denied address":                      {"10.9.8.7:443", true, false},
		"what isn't an address":                 {"/run/sts.sock", true, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEgress(Options{AllowLoopback: tc.loopback, DeniedCIDRs: denied})
			err := e.control(t.Context(), "tcp", tc.address, nil)
			if (err == nil) != tc.want {
				t.Fatalf("got %v, want passage %t", err, tc.want)
			}
			if err == nil {
				return
			}
			if refused := oautherr.FromTransport(err); refused.Reason != oautherr.ReasonEndpointRefused {
				t.Errorf("the reason is %s, want %s", refused.Reason, oautherr.ReasonEndpointRefused)
			}
		})
	}
}
