// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

// bareStatus is what a status without an OAuth error means.
type bareStatus struct {
	class  Class
	remedy string
}

// statuses are those that say more than their hundred.
var statuses = map[int]bareStatus{
	401: {Credential, authenticate}, // RFC 6749 section 5.2 has it for a client that did not authenticate
	404: {Configuration, correctEndpoint},
	405: {Configuration, correctEndpoint},
	407: {Configuration, authenticateProxy},
	408: {Transient, waitForService},
	410: {Configuration, correctEndpoint},
	413: {Configuration, shortenRequest},
	414: {Configuration, shortenRequest},
	431: {Configuration, shortenRequest},
}
