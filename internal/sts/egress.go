// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"tokenrequest.dev/operator/internal/oautherr"
)

// egress decides where calls may go. Whoever may create an issuer names hosts,
// and the operator's place in the network reaches what they don't.
//
// Its checks return why not, and "" for yes. They name no address, because an
// account that does would let a tenant look up internal names.
type egress struct {
	loopback bool
	denied   []netip.Prefix
	hosts    []string // in lower case; empty allows all
}

func newEgress(o Options) egress {
	hosts := make([]string, 0, len(o.AllowedHosts))
	for _, h := range o.AllowedHosts {
		hosts = append(hosts, strings.ToLower(strings.Trim(h, ".")))
	}
	return egress{loopback: o.AllowLoopback, denied: slices.Clone(o.DeniedCIDRs), hosts: hosts}
}

// checkAddress refuses the addresses that no token service is at. An IPv4
// address in IPv6 clothes is the IPv4 address (RFC 4291 section 2.5.5.2).
func (e egress) checkAddress(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	switch {
	case a.IsLoopback() && !e.loopback:
		return "the host has a loopback address, and the operator does not allow those"
	case a.IsLinkLocalUnicast():
		// Cloud metadata services are at 169.254.169.254.
		return "the host has a link-local address"
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "the host has an address that is not one host's"
	case slices.ContainsFunc(e.denied, func(p netip.Prefix) bool { return p.Contains(a) }):
		return "the host has an address that the operator denies"
	default:
		return ""
	}
}

// control is the last word before a net.Dialer connects: the address is
// resolved by now, so that no name can point elsewhere between check and use. A
// connection to a proxy passes here as well; what the proxy resolves the
// endpoint's name to is out of sight, and checkURL all there is.
func (e egress) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	resolved, err := netip.ParseAddrPort(address)
	if err != nil {
		return oautherr.Refused(oautherr.ReasonEndpointRefused, "the host has no IP address")
	}
	if why := e.checkAddress(resolved.Addr()); why != "" {
		return oautherr.Refused(oautherr.ReasonEndpointRefused, why)
	}
	return nil
}
