// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// expose adds what this run observes to the metrics that the process serves, for as long as the run
// leads: a replica that waits for the lease calls nobody. controller-runtime serves one registry per
// process, and that refuses a name it has; a run's own registry is one collector to it, which leaves
// with the run, so that the next one in the same process finds the names free.
func expose(ctx context.Context, observed prometheus.Collector, served prometheus.Registerer) error {
	if err := served.Register(observed); err != nil {
		return fmt.Errorf("exposing the metrics: %w", err)
	}
	defer served.Unregister(observed)
	<-ctx.Done()
	return nil
}
