// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
)

// profiled says that profiles are wanted.
func profiled() bool { return os.Getenv("PROFILE") != "" && full() }

// spell is how long one CPU profile is. Several make one for `go tool pprof`, so that what is measured may
// take as long as it does.
const spell = 3 * time.Second

// profiler writes what a process that serves /debug/pprof does into files of the report.
type profiler struct {
	http *http.Client
	base string
	name string // begins the names of the files
}

// profile begins to write what the operator and the API server do, if profiles are wanted. What it
// returns ends that.
func (s *stage) profile(ctx context.Context, p *process) (finish func()) {
	GinkgoHelper()
	if !profiled() {
		return func() {}
	}
	operator := profiler{http: http.DefaultClient, base: "http://" + p.pprof, name: s.scenario}.start(ctx)
	server := s.profileServer(ctx, "apiserver")
	return func() {
		operator()
		server()
	}
}

// profileServer is profile of the API server alone, into files of that name.
func (s *stage) profileServer(ctx context.Context, name string) (finish func()) {
	GinkgoHelper()
	if !profiled() {
		return func() {}
	}
	admin := s.cluster.Admin()
	asAdmin, err := rest.HTTPClientFor(admin)
	Expect(err).NotTo(HaveOccurred())
	host := strings.Trim(strings.TrimPrefix(admin.Host, "https://"), "/")
	return profiler{http: asAdmin, base: "https://" + host, name: s.scenario + "." + name}.start(ctx)
}

// start begins with the processor. What it returns ends that, and takes what is in memory then.
func (p profiler) start(ctx context.Context) (finish func()) {
	enough := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			if err := p.fetch(ctx, fmt.Sprintf("profile?seconds=%d", int(spell.Seconds())), fmt.Sprintf("cpu%03d", i)); err != nil {
				done <- err
				return
			}
			select {
			case <-enough:
				done <- nil
				return
			default:
			}
		}
	}()
	return func() {
		GinkgoHelper()
		close(enough)
		Expect(<-done).To(Succeed())
		Expect(p.fetch(ctx, "heap?gc=1", "heap")).To(Succeed())
		Expect(p.fetch(ctx, "allocs", "allocs")).To(Succeed())
	}
}

func (p profiler) fetch(ctx context.Context, what, kind string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/debug/pprof/"+what, nil)
	if err != nil {
		return err
	}
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", what, response.Status)
	}
	into, err := os.Create(filepath.Join(os.Getenv("BENCH"), p.name+"."+kind+".pprof"))
	if err != nil {
		return err
	}
	defer into.Close()
	_, err = io.Copy(into, response.Body)
	return err
}
