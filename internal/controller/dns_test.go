// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/net/dns/dnsmessage"
)

// names is what the suite's DNS server knows: a name as an attacker would register it, for an address
// that he can't reach and the operator can.
var names = map[string]string{metadataName + ".": "169.254.169.254"}

const metadataName = "metadata.attacker.example"

// resolved counts how often the server has told an address.
var resolved atomic.Int64

// serveNames has this process, and so the operator in it, ask a DNS server of the suite's own.
func serveNames() {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	net.DefaultResolver.PreferGo = true
	net.DefaultResolver.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}
	go answerNames(server)
	DeferCleanup(server.Close)
}

func answerNames(server net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := server.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer, ok := answerName(buffer[:n]); ok {
			_, _ = server.WriteTo(answer, from)
		}
	}
}

// answerName answers one question: with an address where it is for an IPv4 address, else that there is
// none, or no such name.
func answerName(question []byte) ([]byte, bool) {
	var message dnsmessage.Message
	if message.Unpack(question) != nil || len(message.Questions) != 1 {
		return nil, false
	}
	message.Response, message.Additionals = true, nil
	asked := message.Questions[0]
	address, known := names[asked.Name.String()]
	switch {
	case !known:
		message.RCode = dnsmessage.RCodeNameError
	case asked.Type == dnsmessage.TypeA:
		resolved.Add(1)
		message.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: asked.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 1},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
		}}
	}
	packed, err := message.Pack()
	return packed, err == nil
}
