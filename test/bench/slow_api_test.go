// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"tokenrequest.dev/operator/test/bench/report"
)

// slowAPI is a burst over an API server whose answers, watches included, take longer. The floor has to
// wait for them too.
func slowAPI(n int, delay time.Duration) scenario {
	return scenario{
		name:  fmt.Sprintf("slowAPI%dms", delay.Milliseconds()),
		about: fmt.Sprintf("%d new TokenRequests at once, while each answer of the API server takes %s longer", n, delay),
		goals: []report.Goal{
			{Figure: "writesPerObject", Bound: 2, Counted: true},
			{Figure: "stsCalls", Bound: float64(n), Exactly: true, Counted: true},
		},
		run: func(ctx SpecContext, s *stage) report.Figures {
			admin := s.cluster.Admin()
			server, err := url.Parse(admin.Host)
			Expect(err).NotTo(HaveOccurred())
			proxy := delaying(server.Host, delay)
			admin.Host = "https://" + proxy
			s.cluster.Reach(proxy)
			times := s.floor(ctx, admin, n).served
			f := s.burst(ctx, n)
			s.series = append(s.series, report.Series{Name: "floor", At: times})
			f["floorSeconds"] = seconds(times)
			f["ratio"] = f["wallSeconds"] / f["floorSeconds"]
			return f
		},
	}
}

// delaying is the address of a proxy that hands on at once what it is sent, and what comes back after a
// delay. It knows TCP alone, so that connections are TLS from end to end and streams share one, as ever.
func delaying(address string, delay time.Duration) string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(listener.Close)
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", address)
			if err != nil {
				near.Close()
				continue
			}
			go func() {
				defer far.Close()
				_, _ = io.Copy(far, near) // either end may hang up
			}()
			go func() {
				defer near.Close()
				delayed(near, far, delay)
			}()
		}
	}()
	return listener.Addr().String()
}

// chunk is something that came back, and when it goes on.
type chunk struct {
	at   time.Time
	text []byte
}

// delayed copies from far to near, each byte after the delay, and as many at a time as come.
func delayed(near io.Writer, far io.Reader, delay time.Duration) {
	way := make(chan chunk, 1<<14)
	go func() {
		defer close(way)
		for {
			text := make([]byte, 32<<10)
			n, err := far.Read(text)
			way <- chunk{time.Now().Add(delay), text[:n]}
			if err != nil {
				return
			}
		}
	}()
	for c := range way {
		<-time.After(time.Until(c.at))
		_, _ = near.Write(c.text) // who has hung up misses it
	}
}
