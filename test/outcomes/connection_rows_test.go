// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"net"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// nowhere has a label of more than 63 characters, so that no resolver has to be asked.
const nowhere = "a-name-whose-first-label-is-longer-than-sixty-three-characters-cannot-be.invalid"

// connectionRows are calls that no answer comes back to.
var connectionRows = []row{
	{
		name: "Hanging after the request", does: "The STS takes the request and says nothing; `issuer.timeout` is 1s.",
		act: stssim.Action{Latency: stssim.Duration(time.Hour)}, spec: withinASecond, calls: 1, wait: unavailable,
	},
	broken("Hanging before TLS", "Something accepts the connection and says nothing; `issuer.timeout` is 1s.", bareService(hangs), 1, withinASecond),
	broken("A name that doesn't resolve", "The host is one that no DNS knows.", func() service {
		return service{endpoint: "https://" + nowhere + "/token"}
	}, 0, nil),
	broken("Connection refused", "Nobody listens at the port.", func() service {
		return service{endpoint: "https://127.0.0.1:1/token"}
	}, 0, nil),
	broken("Connection reset before TLS", "Something resets the connection at once.", bareService(resets), 2, nil),
	broken("Connection closed before TLS", "Something closes the connection at once.", bareService(closes), 2, nil),
	{
		name: "Connection reset after the request", does: "The STS takes the request and resets the connection.",
		act: stssim.Action{Reset: true}, calls: 1, wait: unavailable,
	},
	broken("Connection closed after the request", "The STS takes the request and closes the connection.", answering(""), 1, nil),
	broken("No HTTP", "The STS answers with something that isn't HTTP.", answering("220 mail.example ESMTP\r\n"), 1, nil),
	broken("Plain HTTP", "What listens at the port speaks HTTP without TLS.", bareService(speaksPlainHTTP), 1, nil),
	broken("An unknown CA", "The certificate is signed by a CA that isn't trusted.", func() service {
		s := secureService(http.NotFound)
		s.trust = nil
		return s
	}, 1, nil),
	broken("A certificate for another name", "The certificate is for another name than the endpoint's.", func() service {
		s := secureService(http.NotFound)
		s.endpoint = strings.Replace(s.endpoint, "127.0.0.1", "localhost", 1)
		return s
	}, 1, nil),
	broken("An expired certificate", "The certificate expired in 2001.", func() service {
		return secureService(http.NotFound, expired())
	}, 1, nil),
	broken("A proxy that wants credentials", "`issuer.proxyURL` names a proxy that answers 407.", behind(wantsCredentials), 1, nil),
	broken("A proxy that isn't there", "Nobody listens at `issuer.proxyURL`.", func() service {
		return service{endpoint: "https://sts.invalid/token", proxy: "http://127.0.0.1:1"}
	}, 0, nil),
}

func broken(name, does string, from func() service, calls int, spec func(*stsv1alpha1.TokenRequest)) row {
	return row{name: name, does: does, from: from, spec: spec, calls: calls, wait: unavailable}
}

// answering is a service that sends bytes in place of an HTTP answer.
func answering(raw string) func() service {
	return func() service { return secureService(writes(raw)) }
}

// behind is a service behind a proxy.
func behind(proxy func(net.Conn)) func() service {
	return func() service {
		address, arrived := listen(proxy)
		return service{endpoint: "https://sts.invalid/token", proxy: "http://" + address, arrived: arrived}
	}
}

func withinASecond(r *stsv1alpha1.TokenRequest) {
	r.Spec.Issuer.Timeout = &metav1.Duration{Duration: time.Second}
}
