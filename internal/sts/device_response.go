// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

// What holds of a device authorization response that says less, or other.
const (
	maxDeviceCode     = 64 << 10
	maxUserCode       = 64
	defaultDeviceLife = 15 * time.Minute // Entra's; RFC 8628 section 3.2 wants it said
	defaultInterval   = 5 * time.Second  // RFC 8628 section 3.2
	minInterval       = time.Second
	maxInterval       = 10 * time.Minute
)

// parseDeviceAuthorization reads the body of a success (RFC 8628 section 3.2).
// It is as total as parseToken.
//
// The codes and the verification URI have to be right, or nobody could sign in.
// They are shown to people, who will follow them: the URIs lead to an https host
// and nothing shown holds a control character, a secret of the request or the
// device code. verification_url is how Google writes verification_uri. The rest
// is optional, and counts as absent when it isn't what the specification says.
func parseDeviceAuthorization(body []byte, sent time.Time, secrets ...string) (*DeviceAuthorization, *oautherr.Error) {
	answer, err := readObject(body, "device_code", "user_code", "verification_uri", "verification_url",
		"verification_uri_complete", "expires_in", "interval")
	if err != nil {
		return nil, oautherr.Malformed(err.Error())
	}
	code, ok := answer.text("device_code")
	if !ok || !isVSCHAR(code, 1, maxDeviceCode) {
		return nil, oautherr.Malformed("the body has no device_code of 1 to 65536 printable ASCII characters")
	}
	quotes := oautherr.Quotes(append(slices.Clone(secrets), code)...)
	user, ok := answer.text("user_code")
	if !ok || !isVSCHAR(user, 1, maxUserCode) || strings.TrimSpace(user) != user || quotes(user) {
		return nil, oautherr.Malformed("the body has no user_code of 1 to 64 printable ASCII characters")
	}
	at := answer.page("verification_uri", quotes)
	if at == "" {
		at = answer.page("verification_url", quotes)
	}
	if at == "" {
		return nil, oautherr.Malformed("the body has no verification_uri that is https:// with a host and without a user")
	}
	return &DeviceAuthorization{
		DeviceCode:              Sensitive(code),
		UserCode:                user,
		VerificationURI:         at,
		VerificationURIComplete: answer.page("verification_uri_complete", quotes),
		IssuedAt:                sent,
		ExpiresAt:               sent.Add(cmp.Or(answer.seconds("expires_in"), defaultDeviceLife)),
		Interval:                max(min(cmp.Or(answer.seconds("interval"), defaultInterval), maxInterval), minInterval),
	}, nil
}

// page returns the member when it is a URL that a person may be sent to.
func (o object) page(name string, quotes func(string) bool) string {
	page, ok := o.text(name)
	if !ok || !isPage(page) || quotes(page) {
		return ""
	}
	return page
}

// isPage reports an https URL that leads where it seems to lead: browsers and
// people read a user, a backslash or another script's letters each in their own
// way.
func isPage(page string) bool {
	if !isVSCHAR(page, 1, maxURL) || strings.ContainsAny(page, " \\\"<>`") {
		return false
	}
	u, err := url.Parse(page)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err == nil || hostName.MatchString(strings.ToLower(u.Hostname()))
}
