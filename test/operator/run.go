// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
)

// Run is one run of the operator's binary.
type Run struct {
	session *gexec.Session
	scraper string
	metrics string // host and port
	probes  string // host and port
}

// Run starts the operator as a Deployment does, on free ports and with further flags. It may call
// loopback addresses, and logs at debug level into the report of a failing spec. It is killed when
// the node that started it ends.
func (c *Cluster) Run(flags ...string) *Run {
	ginkgo.GinkgoHelper()
	return c.run(ginkgo.GinkgoWriter, flags)
}

// RunSilently is Run with the log in Run.Logs alone: a suite that looks for leaks must not print what
// leaked.
func (c *Cluster) RunSilently(flags ...string) *Run {
	ginkgo.GinkgoHelper()
	return c.run(io.Discard, flags)
}

func (c *Cluster) run(log io.Writer, flags []string) *Run {
	ginkgo.GinkgoHelper()
	r := &Run{scraper: c.scraper, metrics: FreePort(), probes: FreePort()}
	command := exec.Command(c.binary, append([]string{
		"--kubeconfig", c.kubeconfig, "--operator-namespace", Namespace, "--allow-loopback-authorities",
		"--metrics-bind-address", r.metrics, "--health-probe-bind-address", r.probes, "--zap-log-level", "debug",
	}, flags...)...)
	// The network of the machine must not decide what a suite sees.
	command.Env = append(os.Environ(), "HTTPS_PROXY=", "https_proxy=", "ALL_PROXY=", "all_proxy=")
	session, err := gexec.Start(command, log, log)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(func() { session.Kill().Wait() })
	r.session = session
	return r
}

// FreePort is an address on which nobody listens now.
func FreePort() string {
	ginkgo.GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}

// Kill is SIGKILL: nothing is flushed, and the lease isn't given back.
func (r *Run) Kill() {
	ginkgo.GinkgoHelper()
	r.session.Kill()
	gomega.Eventually(r.session).Should(gexec.Exit())
}

// Stop is SIGTERM, as a rollout sends it. The run has to end in good order.
func (r *Run) Stop() {
	ginkgo.GinkgoHelper()
	r.session.Signal(syscall.SIGTERM)
	gomega.Eventually(r.session).Should(gexec.Exit(0))
}

// PID is the number of the process.
func (r *Run) PID() int { return r.session.Command.Process.Pid }

// Running reports that the run hasn't ended.
func (r *Run) Running() bool { return r.session.ExitCode() == -1 }

// Logs are all that the run has written.
func (r *Run) Logs() string {
	return string(r.session.Out.Contents()) + string(r.session.Err.Contents())
}

// Probe asks a probe endpoint, such as "/readyz"; any answer but 200 is an error.
func (r *Run) Probe(ctx context.Context, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.probes+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, response.Status)
	}
	return nil
}
