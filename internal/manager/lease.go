// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"flag"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
)

// leaseName is the name of the lease that the leader holds.
const leaseName = "tokenrequest-operator"

// Lease is how the replicas pass leadership on. Its zero value isn't useful: BindFlags fills in the
// defaults.
type Lease struct {
	// Duration is how long replicas wait for a leader that says nothing any more.
	Duration time.Duration
	// RenewDeadline is how long the leader tries to renew before it gives up and ends. It is shorter than
	// Duration: a leader that is cut off has ended before another one begins.
	RenewDeadline time.Duration
	// RetryPeriod is how often the leader renews, and others look whether they may lead.
	RetryPeriod time.Duration
}

// The defaults are client-go's own recommendation but for the last. A replica looks every RetryPeriod and
// up to leaderelection.JitterFactor of it later: with these, at most 1.8 s after the leader has let go.
const (
	defaultLeaseDuration = 15 * time.Second
	defaultRenewDeadline = 10 * time.Second
	defaultRetryPeriod   = 800 * time.Millisecond
)

// BindFlags declares a flag for each setting, under the names that kube-controller-manager gives them.
// A slow etcd wants longer ones (external-secrets#1725).
func (l *Lease) BindFlags(flags *flag.FlagSet) {
	flags.DurationVar(&l.Duration, "leader-elect-lease-duration", defaultLeaseDuration,
		"How long other replicas wait for a leader that says nothing any more.")
	flags.DurationVar(&l.RenewDeadline, "leader-elect-renew-deadline", defaultRenewDeadline,
		"How long the leader tries to renew its lease before it ends. Shorter than the lease's duration.")
	flags.DurationVar(&l.RetryPeriod, "leader-elect-retry-period", defaultRetryPeriod,
		"How often the leader renews its lease, and other replicas look for it.")
}

// validate refuses what client-go would refuse with words of its own, after the caches have filled.
func (l *Lease) validate() error {
	switch {
	case l.RetryPeriod <= 0:
		return fmt.Errorf("--leader-elect-retry-period is %s: it has to be more than 0", l.RetryPeriod)
	case l.RenewDeadline.Seconds() <= leaderelection.JitterFactor*l.RetryPeriod.Seconds():
		return fmt.Errorf("--leader-elect-renew-deadline is %s: it has to be more than %.1f times --leader-elect-retry-period, which is %s",
			l.RenewDeadline, leaderelection.JitterFactor, l.RetryPeriod)
	case l.Duration <= l.RenewDeadline:
		return fmt.Errorf("--leader-elect-lease-duration is %s: it has to be more than --leader-elect-renew-deadline, which is %s",
			l.Duration, l.RenewDeadline)
	}
	return nil
}

// leaderLock is the lease. Unlike the one that the manager would make it writes no event when the
// leader changes: a restart over settled requests writes nothing but the lease, and the log tells who
// leads.
func leaderLock(cluster *rest.Config, c Config) (resourcelock.Interface, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding this host's name: %w", err)
	}
	identity := resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())}
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, c.OperatorNamespace, leaseName, identity, cluster, c.Lease.RenewDeadline)
	if err != nil {
		return nil, fmt.Errorf("making the leader's lock: %w", err)
	}
	return &boundLock{Interface: lock, clock: clock.RealClock{}, deadline: c.Lease.RenewDeadline}, nil
}
