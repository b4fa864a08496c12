// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// rootCertificates are Mozilla's, as the Go project publishes them in a module: pinned, where those of the
// machine that builds aren't. A file can't say of a root that it is trusted with limits, so such ones stay
// out.
func rootCertificates() ([]byte, error) {
	var out bytes.Buffer
	for certificate := range bundle.Roots() {
		if certificate.Constraint != nil {
			continue
		}
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate}); err != nil {
			return nil, fmt.Errorf("encoding a root certificate: %w", err)
		}
	}
	return out.Bytes(), nil
}
