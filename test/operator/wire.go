// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"io"
	"net"
	"net/url"
	"strings"
	"sync"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"
)

// Wire lies between an operator and its API server, and can be cut: then nothing passes any more, and
// neither side is told, as with a network that is partitioned.
type Wire struct {
	address string // where the operator's end is

	mu      sync.Mutex
	changed *sync.Cond
	cut     bool
	ended   bool
}

// NewWire lays a wire to the API server, which ends with the node that asked for it.
func (c *Cluster) NewWire() *Wire {
	ginkgo.GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	w := &Wire{address: listener.Addr().String()}
	w.changed = sync.NewCond(&w.mu)
	server, err := url.Parse("https://" + strings.TrimPrefix(c.admin.Host, "https://"))
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go w.join(near, server.Host)
		}
	}()
	ginkgo.DeferCleanup(func() {
		w.set(&w.ended, true)
		gomega.Expect(listener.Close()).To(gomega.Succeed())
	})
	return w
}

// Cut has nothing pass any more.
func (w *Wire) Cut() { w.set(&w.cut, true) }

// Mend has everything pass again, also what was held up.
func (w *Wire) Mend() { w.set(&w.cut, false) }

func (w *Wire) set(what *bool, to bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*what = to
	w.changed.Broadcast()
}

// passable waits until the wire is whole, and says whether it is still there.
func (w *Wire) passable() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.cut && !w.ended {
		w.changed.Wait()
	}
	return !w.ended
}

// join connects one connection of the operator's with the server.
func (w *Wire) join(near net.Conn, server string) {
	defer near.Close()
	if !w.passable() {
		return
	}
	far, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer far.Close()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			w.carry(way[0], way[1])
			// The other way has nobody to talk to any more.
			near.Close()
			far.Close()
		})
	}
	both.Wait()
}

// carry passes on what one end says, as long as the wire is whole.
func (w *Wire) carry(from io.Reader, to io.Writer) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !w.passable() {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// RunBehind is Run with the API server at the end of the wire.
func (c *Cluster) RunBehind(w *Wire, flags ...string) *Run {
	ginkgo.GinkgoHelper()
	login, err := clientcmd.LoadFromFile(c.kubeconfig)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	for _, cluster := range login.Clusters {
		cluster.Server = "https://" + w.address
	}
	behind := *c
	behind.kubeconfig = writeKubeconfig(login)
	return behind.Run(flags...)
}
