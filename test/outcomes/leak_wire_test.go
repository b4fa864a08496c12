// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"fmt"
	"net"
)

// wirePaths are bytes that aren't HTTP, or HTTP at its edge, and hold the secret.
func wirePaths() []leakPath {
	var paths []leakPath
	for name, raw := range map[string]string{
		"a status line that is the secret":       "%s\r\n\r\n",
		"a status that is the secret":            "HTTP/1.1 %s\r\n\r\n",
		"a reason phrase that is the secret":     "HTTP/1.1 500 %s\r\nContent-Length: 0\r\n\r\n",
		"a header line that is the secret":       "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"a field name that is the secret":        "HTTP/1.1 200 OK\r\n%s : x\r\n\r\n",
		"a length that is the secret":            "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"a transfer encoding that is the secret": "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"a chunk's size that is the secret":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
		"a trailer that is the secret":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n\r\n",
	} {
		paths = append(paths, pathOf(name, word, func(c canaries) row {
			return row{from: answering(fmt.Sprintf(raw, c.secret))}
		}))
	}
	return append(paths, pathOf("a proxy's refusal that is the secret", word, func(c canaries) row {
		return row{from: behind(func(conn net.Conn) {
			says(conn, fmt.Sprintf("HTTP/1.1 502 %s\r\nX-Secret: %s\r\nContent-Length: 0\r\n\r\n", c.secret, c.secret))
		})}
	}).calledTwice())
}
