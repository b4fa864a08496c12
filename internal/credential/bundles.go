// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"sync"
)

// mostBundles bounds what Bundles remembers, which is forgotten when it is full.
const mostBundles = 1024

// Bundles remembers by their hash which CA bundles hold a certificate, since each is read anew before
// each call: to parse the same certificates a thousand times is all the work that they make. It is safe for
// concurrent use. The nil pointer remembers nothing.
type Bundles struct {
	mu    sync.Mutex
	valid map[[sha256.Size]byte]bool
}

// hold says whether a pool would take a certificate out of the PEM.
func (b *Bundles) hold(bundle []byte) bool {
	if b == nil {
		return holdsCertificate(bundle)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	hash := sha256.Sum256(bundle)
	if b.valid[hash] {
		return true
	}
	if !holdsCertificate(bundle) {
		return false
	}
	if b.valid == nil || len(b.valid) >= mostBundles {
		b.valid = map[[sha256.Size]byte]bool{}
	}
	b.valid[hash] = true
	return true
}

// holdsCertificate looks no further than to the first one: a bundle of all public CAs has 150.
func holdsCertificate(bundle []byte) bool {
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			return true
		}
	}
	return false
}
