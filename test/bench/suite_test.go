// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package bench_test measures the operator's real binary against a real API server and an STS that takes
// 50 ms. `make bench` runs all scenarios; among the tests is a small form that judges counts alone.
package bench_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"tokenrequest.dev/operator/test/bench/report"
	"tokenrequest.dev/operator/test/operator"
)

// scenario is one thing to measure. Each has an API server and a simulator of its own, so that none
// depends on what ran before.
type scenario struct {
	name    string
	about   string
	goals   []report.Goal
	options []operator.Option
	run     func(ctx SpecContext, s *stage) report.Figures
}

// scenarios are those of the full form.
func scenarios() []scenario {
	return []scenario{
		burst(1000),
		burst(10000),
		backlog(1000),
		restart(1000),
		restart(10000),
		sameToken(1000),
		readyAmongIdle(10000, 200),
		steadyRefresh(10000),
		rotation(1000),
		outage(10000),
		storm429(1000, 20*time.Second),
		foreign(30000, 1),
		foreign(30000, 32),
		slowAPI(1000, 100*time.Millisecond),
		idle(1000, time.Minute),
	}
}

// small are those of the form that belongs to all tests.
func small() []scenario {
	return []scenario{
		burst(100),
		backlog(100),
		restart(100),
		sameToken(100),
		rotation(100),
		storm429(100, 5*time.Second),
		idle(100, 10*time.Second),
	}
}

// full says that figures are wanted, and not only counts.
func full() bool { return os.Getenv("BENCH") != "" }

// chosen are the scenarios of SCENARIO, names with commas between them; without it, all of the form.
func chosen() []scenario {
	list := small()
	if full() {
		list = scenarios()
	}
	names := strings.FieldsFunc(os.Getenv("SCENARIO"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 {
		return list
	}
	var some []scenario
	for _, name := range names {
		i := slices.IndexFunc(list, func(s scenario) bool { return s.name == name })
		if i < 0 {
			panic(fmt.Sprintf("SCENARIO: there is no %q", name))
		}
		some = append(some, list[i])
	}
	return some
}

var (
	binary string
	result report.Report
)

func TestBench(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(map[bool]time.Duration{false: time.Minute, true: 10 * time.Minute}[full()])
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "test/bench")
}

// The operator is measured as users run it, without the race detector.
var _ = BeforeSuite(func(ctx SpecContext) {
	result.Machine = report.Here(ctx, os.Getenv("KUBEBUILDER_ASSETS"))
	binary = operator.Build(ctx)
})

var _ = AfterSuite(func() {
	if folder := os.Getenv("BENCH"); folder != "" {
		result.Took, result.Profiled = time.Since(began), profiled()
		Expect(result.Write(folder)).To(Succeed())
		tell("%s", folder)
	}
})

// began is when the run did.
var began = time.Now()

// tell reports progress where somebody may be waiting.
func tell(format string, arguments ...any) {
	fmt.Fprintf(os.Stdout, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, arguments...))
}

// In the order of the table, and one that fails leaves the others their turn.
var _ = Describe("The operator", Ordered, ContinueOnFailure, func() {
	for _, s := range chosen() {
		It(s.name+": "+s.about, func(ctx SpecContext) {
			entry := &report.Scenario{Name: s.name, About: s.about, Goals: s.goals}
			result.Scenarios = append(result.Scenarios, entry)
			tell("%s: %s", s.name, s.about)
			on := newStage(ctx, s)
			entry.Figures = s.run(ctx, on)
			entry.Series = on.series
			fmt.Fprint(os.Stdout, entry.Terminal())
			if !full() {
				Expect(entry.Missed()).To(BeEmpty())
			}
		})
	}
})
