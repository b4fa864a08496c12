// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"flag"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// parse reads flags as main does.
func parse(t *testing.T, args ...string) (Config, error) {
	t.Helper()
	var c Config
	flags := flag.NewFlagSet("operator", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	c.BindFlags(flags)
	err := flags.Parse(args)
	return c, err
}

func comparePrefixes(a, b netip.Prefix) bool { return a == b }

func TestFlags(t *testing.T) {
	prefixes := func(texts ...string) []netip.Prefix {
		var list []netip.Prefix
		for _, text := range texts {
			list = append(list, netip.MustParsePrefix(text))
		}
		return list
	}
	with := func(change func(*Config)) Config {
		c := Config{
			OperatorNamespace: "tokenrequest-system", LeaderElect: true, MetricsBindAddress: ":8443",
			Lease:                  Lease{Duration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 800 * time.Millisecond},
			HealthProbeBindAddress: ":8081", PprofBindAddress: "0", MaxConcurrentReconciles: 64, MetricsPerObject: 1000,
		}
		change(&c)
		return c
	}
	tests := map[string]struct {
		environment string
		args        []string
		want        Config
	}{
		"no flags are the defaults":                   {"", nil, with(func(*Config) {})},
		"the pod's namespace is the operator's":       {"sts", nil, with(func(c *Config) { c.OperatorNamespace = "sts" })},
		"a flag counts more than the pod's namespace": {"sts", []string{"--operator-namespace=ops"}, with(func(c *Config) { c.OperatorNamespace = "ops" })},
		"a single replica may do without the lease":   {"", []string{"--leader-elect=false"}, with(func(c *Config) { c.LeaderElect = false })},
		"a slow etcd wants a longer lease": {"", []string{"--leader-elect-lease-duration=1m", "--leader-elect-renew-deadline=40s", "--leader-elect-retry-period=5s"},
			with(func(c *Config) {
				c.Lease = Lease{Duration: time.Minute, RenewDeadline: 40 * time.Second, RetryPeriod: 5 * time.Second}
			})},
		"metrics may be turned off":                      {"", []string{"--metrics-bind-address=0"}, with(func(c *Config) { c.MetricsBindAddress = "0" })},
		"probes may be turned off":                       {"", []string{"--health-probe-bind-address", "0"}, with(func(c *Config) { c.HealthProbeBindAddress = "0" })},
		"profiles are served to this host":               {"", []string{"--pprof-bind-address=127.0.0.1:6060"}, with(func(c *Config) { c.PprofBindAddress = "127.0.0.1:6060" })},
		"namespaces are separated by commas":             {"", []string{"--watch-namespaces=a,b"}, with(func(c *Config) { c.WatchNamespaces = []string{"a", "b"} })},
		"blanks and empty items don't count":             {"", []string{"--watch-namespaces= a , ,b,"}, with(func(c *Config) { c.WatchNamespaces = []string{"a", "b"} })},
		"an empty list is none":                          {"", []string{"--watch-namespaces="}, with(func(*Config) {})},
		"a list said twice holds both":                   {"", []string{"--allowed-hosts=a.example", "--allowed-hosts=b.example"}, with(func(c *Config) { c.AllowedHosts = []string{"a.example", "b.example"} })},
		"workers are counted":                            {"", []string{"--max-concurrent-reconciles=4"}, with(func(c *Config) { c.MaxConcurrentReconciles = 4 })},
		"metrics of single objects may be turned off":    {"", []string{"--metrics-per-object=0"}, with(func(c *Config) { c.MetricsPerObject = 0 })},
		"denied addresses of both families":              {"", []string{"--denied-cidrs=10.0.0.0/8, fd00::/8"}, with(func(c *Config) { c.DeniedCIDRs = prefixes("10.0.0.0/8", "fd00::/8") })},
		"denied addresses said twice are denied both":    {"", []string{"--denied-cidrs=10.0.0.0/8", "--denied-cidrs=172.16.0.0/12"}, with(func(c *Config) { c.DeniedCIDRs = prefixes("10.0.0.0/8", "172.16.0.0/12") })},
		"an address with its prefix stands for the rest": {"", []string{"--denied-cidrs=10.1.2.3/8"}, with(func(c *Config) { c.DeniedCIDRs = prefixes("10.0.0.0/8") })},
		"a single address is a prefix too":               {"", []string{"--denied-cidrs=192.0.2.1/32"}, with(func(c *Config) { c.DeniedCIDRs = prefixes("192.0.2.1/32") })},
		"loopback is for demos":                          {"", []string{"--allow-loopback-authorities"}, with(func(c *Config) { c.AllowLoopbackAuthorities = true })},
		"allowed hosts can be required":                  {"", []string{"--require-allowed-hosts"}, with(func(c *Config) { c.RequireAllowedHosts = true })},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("POD_NAMESPACE", test.environment)
			got, err := parse(t, test.args...)
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreUnexported(Config{}), cmp.Comparer(comparePrefixes)); diff != "" {
				t.Errorf("Config (-want +got):\n%s", diff)
			}
			if err := got.validate(); err != nil {
				t.Errorf("validate = %v, want that it will do", err)
			}
		})
	}
}

func TestFlagsThatAreRefused(t *testing.T) {
	tests := map[string]struct{ arg, want string }{
		"an address without a length":      {"--denied-cidrs=10.0.0.0", `"10.0.0.0" is no CIDR prefix such as 10.0.0.0/8`},
		"a length that there isn't":        {"--denied-cidrs=10.0.0.0/33", `"10.0.0.0/33" is no CIDR prefix such as 10.0.0.0/8`},
		"a host name":                      {"--denied-cidrs=metadata.example/8", `"metadata.example/8" is no CIDR prefix such as 10.0.0.0/8`},
		"one bad prefix among good ones":   {"--denied-cidrs=10.0.0.0/8,172.16", `"172.16" is no CIDR prefix such as 10.0.0.0/8`},
		"a prefix that would deny nothing": {"--denied-cidrs=::ffff:10.0.0.0/104", `"::ffff:10.0.0.0/104" is an IPv4 prefix in the form of IPv6: write it as 10.0.0.0/n`},
		"a number that is none":            {"--max-concurrent-reconciles=many", `invalid value "many" for flag -max-concurrent-reconciles`},
		"a flag that there isn't":          {"--refresh-interval=1h", "flag provided but not defined: -refresh-interval"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(t, test.arg); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse = %v, want an error with %q", err, test.want)
			}
		})
	}
}

// Settings with which the operator would start and do nothing are told before anything is connected.
func TestRunRefusesWhatItCannotWorkWith(t *testing.T) {
	tests := map[string]struct{ arg, want string }{
		"no namespace":               {"--operator-namespace=", "--operator-namespace is empty: name the namespace that the operator runs in"},
		"no workers":                 {"--max-concurrent-reconciles=0", "--max-concurrent-reconciles is 0: at least one worker is needed"},
		"negative workers":           {"--max-concurrent-reconciles=-1", "--max-concurrent-reconciles is -1: at least one worker is needed"},
		"a lease that nobody renews": {"--leader-elect-retry-period=0", "--leader-elect-retry-period is 0s: it has to be more than 0"},
		"a lease that is renewed too late": {"--leader-elect-retry-period=9s",
			"--leader-elect-renew-deadline is 10s: it has to be more than 1.2 times --leader-elect-retry-period, which is 9s"},
		"a leader that outlives its lease": {"--leader-elect-lease-duration=10s",
			"--leader-elect-lease-duration is 10s: it has to be more than --leader-elect-renew-deadline, which is 10s"},
		"fewer than no metrics": {"--metrics-per-object=-1", "--metrics-per-object is -1: 0 turns them off"},
		"profiles for others":   {"--pprof-bind-address=:6060", "--pprof-bind-address is :6060: profiles show what is in memory, so give it a loopback address such as 127.0.0.1:6060"},
		"profiles at a name":    {"--pprof-bind-address=localhost:6060", "--pprof-bind-address is localhost:6060: profiles show what is in memory, so give it a loopback address such as 127.0.0.1:6060"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := parse(t, test.arg)
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if err := Run(t.Context(), nil, c); err == nil || err.Error() != test.want {
				t.Errorf("Run = %v, want %q", err, test.want)
			}
		})
	}
}

// Users and manifests rely on these names.
func TestTheFlagsAreThoseOfTheContract(t *testing.T) {
	want := []string{
		"allow-loopback-authorities", "allowed-hosts", "denied-cidrs", "health-probe-bind-address", "leader-elect",
		"leader-elect-lease-duration", "leader-elect-renew-deadline", "leader-elect-retry-period",
		"max-concurrent-reconciles", "metrics-bind-address", "metrics-per-object", "operator-namespace", "pprof-bind-address", "require-allowed-hosts", "version", "watch-namespaces",
	}
	var c Config
	flags := flag.NewFlagSet("operator", flag.ContinueOnError)
	c.BindFlags(flags)
	var got []string
	flags.VisitAll(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "zap-") {
			got = append(got, f.Name)
		}
		if f.Usage == "" {
			t.Errorf("--%s has no help", f.Name)
		}
	})
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}

// The log is made for machines unless somebody asks for another: github-token-manager ships the
// development logger.
func TestTheLogIsForProduction(t *testing.T) {
	c, err := parse(t)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	if c.logging.Development {
		t.Error("the log is a developer's, want a production log")
	}
}
