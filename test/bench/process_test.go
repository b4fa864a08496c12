// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"tokenrequest.dev/operator/test/operator"
)

// process is a run of the operator, as the system sees it.
type process struct {
	*operator.Run
	pprof           string // the address of its profiles, if there are any
	started, synced time.Time
}

// tick is the unit of processor time in /proc: USER_HZ, which is the same on all of Linux's platforms that
// Go knows.
const tick = 10 * time.Millisecond

// cpu is the processor time that the process has used, its own and the kernel's on its behalf (proc(5)).
func (p *process) cpu() time.Duration {
	GinkgoHelper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	Expect(err).NotTo(HaveOccurred(), "the bench reads processor time and memory from Linux's /proc")
	// The second field is a name in parentheses; utime and stime are the 14th and 15th.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var total time.Duration
	for _, field := range fields[11:13] {
		ticks, err := strconv.Atoi(field)
		Expect(err).NotTo(HaveOccurred())
		total += time.Duration(ticks) * tick
	}
	return total
}

// rss is the memory that the process holds now, and peak the most that it has held, in MiB.
func (p *process) rss() (now, peak float64) {
	GinkgoHelper()
	return p.memory("VmRSS:"), p.memory("VmHWM:")
}

func (p *process) memory(name string) float64 {
	GinkgoHelper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	Expect(err).NotTo(HaveOccurred())
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			kib, err := strconv.Atoi(fields[1])
			Expect(err).NotTo(HaveOccurred())
			return float64(kib) / 1024
		}
	}
	Fail("/proc says nothing of " + name)
	return 0
}
