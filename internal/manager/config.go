// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// Config is everything that the operator can be told. Its zero value isn't useful: BindFlags fills
// in the defaults.
type Config struct {
	// OperatorNamespace is where the lease, the throttle ConfigMap and what ClusterTokenIssuers refer to
	// live.
	OperatorNamespace string
	// LeaderElect makes the operator wait for the lease before it does anything.
	LeaderElect bool
	// Lease is how replicas pass leadership on.
	Lease Lease
	// MetricsBindAddress serves metrics over TLS to those whom the cluster allows; "0" turns it off.
	MetricsBindAddress string
	// MetricsPerObject is how many TokenRequests have metrics of their own; 0 turns those off.
	MetricsPerObject int
	// HealthProbeBindAddress serves /healthz and /readyz; "0" turns it off.
	HealthProbeBindAddress string
	// PprofBindAddress serves profiles of the operator itself, to this host alone; "0" turns them off.
	PprofBindAddress string
	// WatchNamespaces are the namespaces that the operator serves; empty means all.
	WatchNamespaces []string
	// MaxConcurrentReconciles is the number of workers. They never wait for an STS.
	MaxConcurrentReconciles int
	// AllowedHosts are suffixes of the hosts that may be called, proxies of issuers included; empty
	// means all.
	AllowedHosts []string
	// DeniedCIDRs are addresses that are never called, beside loopback and link-local ones.
	DeniedCIDRs []netip.Prefix
	// AllowLoopbackAuthorities permits calls to loopback addresses, for demos and tests.
	AllowLoopbackAuthorities bool
	// RequireAllowedHosts refuses credential Secrets that don't say where they may be sent.
	RequireAllowedHosts bool
	// PrintVersion asks for the version alone.
	PrintVersion bool

	logging zap.Options
}

const (
	defaultNamespace = "tokenrequest-system"
	defaultWorkers   = 64
	defaultPerObject = 1000
)

// BindFlags declares a flag for each setting, and sets its default.
func (c *Config) BindFlags(flags *flag.FlagSet) {
	flags.BoolVar(&c.PrintVersion, "version", false, "Print the version, the commit and the Go that this was built with, and nothing else.")
	flags.StringVar(&c.OperatorNamespace, "operator-namespace", cmp.Or(os.Getenv("POD_NAMESPACE"), defaultNamespace),
		"The namespace of the lease, of the throttle ConfigMap and of what ClusterTokenIssuers refer to; POD_NAMESPACE where that is set.")
	flags.BoolVar(&c.LeaderElect, "leader-elect", true,
		"Wait for the lease before doing anything, so that several replicas may run.")
	c.Lease.BindFlags(flags)
	flags.StringVar(&c.MetricsBindAddress, "metrics-bind-address", ":8443",
		"The address of the metrics, served over TLS to those whom the cluster allows to read them; 0 turns them off.")
	flags.IntVar(&c.MetricsPerObject, "metrics-per-object", defaultPerObject,
		"How many TokenRequests, the eldest, have metrics with their name; 0 turns those off.")
	flags.StringVar(&c.HealthProbeBindAddress, "health-probe-bind-address", ":8081",
		"The address of /healthz and /readyz; 0 turns them off.")
	flags.StringVar(&c.PprofBindAddress, "pprof-bind-address", "0",
		"The loopback address of /debug/pprof, such as 127.0.0.1:6060; 0 turns it off.")
	flags.Var((*stringList)(&c.WatchNamespaces), "watch-namespaces",
		"The namespaces to serve, separated by commas; empty means all. ClusterTokenIssuers are served with all alone.")
	flags.IntVar(&c.MaxConcurrentReconciles, "max-concurrent-reconciles", defaultWorkers,
		"The number of workers. They never wait for an STS.")
	flags.Var((*stringList)(&c.AllowedHosts), "allowed-hosts",
		"Suffixes of the hosts of STSs and of proxyURLs that may be called, separated by commas; empty means all.")
	flags.Var((*prefixList)(&c.DeniedCIDRs), "denied-cidrs",
		"Addresses that are never called, separated by commas, beside loopback and link-local ones.")
	flags.BoolVar(&c.AllowLoopbackAuthorities, "allow-loopback-authorities", false,
		"Permit calls to loopback addresses, for demos and tests.")
	flags.BoolVar(&c.RequireAllowedHosts, "require-allowed-hosts", false,
		"Refuse credential Secrets without the annotation sts.tokenrequest.dev/allowed-hosts.")
	c.logging.BindFlags(flags)
}

// issuerNamespace is where ClusterTokenIssuers have their credentials: the operator's own namespace, or
// nowhere when the operator serves single namespaces, whose rights don't reach beyond them.
func (c *Config) issuerNamespace() string {
	if len(c.WatchNamespaces) > 0 {
		return ""
	}
	return c.OperatorNamespace
}

// validate refuses settings with which the operator would start and then do nothing.
func (c *Config) validate() error {
	if c.OperatorNamespace == "" {
		return errors.New("--operator-namespace is empty: name the namespace that the operator runs in")
	}
	if c.MaxConcurrentReconciles < 1 {
		return fmt.Errorf("--max-concurrent-reconciles is %d: at least one worker is needed", c.MaxConcurrentReconciles)
	}
	if c.MetricsPerObject < 0 {
		return fmt.Errorf("--metrics-per-object is %d: 0 turns them off", c.MetricsPerObject)
	}
	if !loopback(c.PprofBindAddress) {
		return fmt.Errorf("--pprof-bind-address is %s: profiles show what is in memory, so give it a loopback address such as 127.0.0.1:6060", c.PprofBindAddress)
	}
	return c.Lease.validate()
}

// loopback says that nobody beyond this host can reach what is served at the address. A name is refused:
// what it resolves to is somebody else's say.
func loopback(address string) bool {
	if address == "0" {
		return true
	}
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Addr().IsLoopback()
}

// stringList is a flag of values separated by commas. Said twice, it holds the values of both, as
// lists do in the flags of Kubernetes: of two lists of denied addresses none may be forgotten.
type stringList []string

func (l *stringList) String() string { return strings.Join(*l, ",") }

func (l *stringList) Set(value string) error {
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*l = append(*l, item)
		}
	}
	return nil
}

// prefixList is a flag of CIDR prefixes separated by commas. It adds up as stringList does.
type prefixList []netip.Prefix

func (l *prefixList) String() string {
	texts := make([]string, len(*l))
	for i, prefix := range *l {
		texts[i] = prefix.String()
	}
	return strings.Join(texts, ",")
}

func (l *prefixList) Set(value string) error {
	var texts stringList
	if err := texts.Set(value); err != nil {
		return err
	}
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			return fmt.Errorf("%q is no CIDR prefix such as 10.0.0.0/8", text)
		case prefix.Addr().Is4In6():
			// It would deny nothing: an address is compared as the IPv4 address that it stands for.
			return fmt.Errorf("%q is an IPv4 prefix in the form of IPv6: write it as %s/n", text, prefix.Addr().Unmap())
		}
		*l = append(*l, prefix.Masked())
	}
	return nil
}
