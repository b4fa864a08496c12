// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import "time"

// DeviceAuthorization is a device authorization response (RFC 8628 section
// 3.2): where a person signs in, and the code to poll with. It prints without
// the device code.
type DeviceAuthorization struct {
	// DeviceCode is what the token endpoint is polled with; never empty.
	DeviceCode Sensitive
	// UserCode is what the person types in; 1 to 64 printable characters.
	UserCode string
	// VerificationURI is where, an https URL without a user, of at most 2048
	// printable ASCII characters; never empty.
	VerificationURI string
	// VerificationURIComplete has the code in it, and is otherwise such a URL;
	// empty where the server gave none.
	VerificationURIComplete string
	// IssuedAt is when the request was sent, in UTC and truncated to the second.
	IssuedAt time.Time
	// ExpiresAt is when both codes end; 15 minutes after IssuedAt where the server
	// didn't say.
	ExpiresAt time.Time
	// Interval is the time between two polls: 5 s where the server didn't say, at
	// least 1 s and at most 10 minutes.
	Interval time.Duration
}
