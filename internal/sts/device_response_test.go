// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokenrequest.dev/operator/internal/oautherr"
)

// device returns a device authorization response with other or further members.
func device(members string) string {
	body := "{" + members
	for _, member := range []string{`"device_code":"dc"`, `"user_code":"ABCD-EFGH"`, `"verification_uri":"https://sts.example.com/device"`} {
		if name, _, _ := strings.Cut(member, ":"); !strings.Contains(members, name+":") {
			body += "," + member
		}
	}
	return strings.Replace(body, "{,", "{", 1) + "}"
}

func TestParseDeviceAuthorizationReads(t *testing.T) {
	with := func(change func(*DeviceAuthorization)) DeviceAuthorization {
		d := DeviceAuthorization{
			DeviceCode: "dc", UserCode: "ABCD-EFGH", VerificationURI: "https://sts.example.com/device",
			IssuedAt: sent, ExpiresAt: sent.Add(15 * time.Minute), Interval: 5 * time.Second,
		}
		change(&d)
		return d
	}
	least := with(func(*DeviceAuthorization) {})
	every := func(interval time.Duration) DeviceAuthorization {
		return with(func(d *DeviceAuthorization) { d.Interval = interval })
	}
	at := func(page string) DeviceAuthorization {
		return with(func(d *DeviceAuthorization) { d.VerificationURI = page })
	}
	complete := with(func(d *DeviceAuthorization) {
		d.VerificationURIComplete = "https://sts.example.com/device?user_code=ABCD-EFGH"
	})
	longest := strings.Repeat("~", maxDeviceCode)
	tests := map[string]struct {
		body string
		want DeviceAuthorization
	}{
		"only what a response must have":             {device(``), least},
		"members that nobody knows, even twice":      {device(`"message":"go there","x":1,"x":2`), least},
		"a lifetime":                                 {device(`"expires_in":900`), least},
		"a lifetime in a string":                     {device(`"expires_in":"60"`), with(func(d *DeviceAuthorization) { d.ExpiresAt = sent.Add(time.Minute) })},
		"a lifetime of none":                         {device(`"expires_in":0`), least},
		"a lifetime that is garbage":                 {device(`"expires_in":"soon"`), least},
		"a lifetime beyond all bounds":               {device(`"expires_in":1e300`), with(func(d *DeviceAuthorization) { d.ExpiresAt = sent.Add(maxLifetime) })},
		"an interval":                                {device(`"interval":7`), every(7 * time.Second)},
		"an interval in a string":                    {device(`"interval":"7"`), every(7 * time.Second)},
		"the shortest interval":                      {device(`"interval":1`), every(time.Second)},
		"an interval of none":                        {device(`"interval":0`), least},
		"an interval below none":                     {device(`"interval":-1`), least},
		"an interval that is null":                   {device(`"interval":null`), least},
		"an interval of hours":                       {device(`"interval":86400`), every(10 * time.Minute)},
		"the URI as Google names it":                 {`{"device_code":"dc","user_code":"ABCD-EFGH","verification_url":"https://sts.example.com/device"}`, least},
		"the URI by both names":                      {device(`"verification_url":"https://other.example.com/"`), least},
		"a URI that is worse than Google's":          {device(`"verification_uri":"http://a/","verification_url":"https://b/"`), at("https://b/")},
		"a URI with a port":                          {device(`"verification_uri":"https://sts.example.com:8443/"`), at("https://sts.example.com:8443/")},
		"a URI with an address":                      {device(`"verification_uri":"https://[2001:db8::1]/d"`), at("https://[2001:db8::1]/d")},
		"a URI with a fragment":                      {device(`"verification_uri":"https://a.example.com/#/device"`), at("https://a.example.com/#/device")},
		"a URI with the code in it":                  {device(`"verification_uri_complete":"https://sts.example.com/device?user_code=ABCD-EFGH"`), complete},
		"a URI with the code in it that isn't https": {device(`"verification_uri_complete":"http://sts.example.com/device"`), least},
		"a URI with the code in it that is a number": {device(`"verification_uri_complete":1`), least},
		"the longest device code":                    {device(`"device_code":"` + longest + `"`), with(func(d *DeviceAuthorization) { d.DeviceCode = Sensitive(longest) })},
		"the longest user code":                      {device(`"user_code":"` + longest[:64] + `"`), with(func(d *DeviceAuthorization) { d.UserCode = longest[:64] })},
		"a user code of two words":                   {device(`"user_code":"AB CD"`), with(func(d *DeviceAuthorization) { d.UserCode = "AB CD" })},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseDeviceAuthorization([]byte(tc.body), sent, "secret")
			if err != nil {
				t.Fatalf("parsing %s: %v", tc.body, err)
			}
			if diff := cmp.Diff(tc.want, *got); diff != "" {
				t.Errorf("authorization (-want +got):\n%s", diff)
			}
		})
	}
}

const (
	noDeviceCode = "the body has no device_code of 1 to 65536 printable ASCII characters"
	noUserCode   = "the body has no user_code of 1 to 64 printable ASCII characters"
	noPage       = "the body has no verification_uri that is https:// with a host and without a user"
)

func TestParseDeviceAuthorizationRefuses(t *testing.T) {
	tests := map[string]struct{ body, why string }{
		"a list":                           {`["canary"]`, "the body is not one JSON object"},
		"an empty object":                  {`{}`, noDeviceCode},
		"no device code":                   {`{"user_code":"canary","verification_uri":"https://canary.example.com"}`, noDeviceCode},
		"a device code that is empty":      {device(`"device_code":""`), noDeviceCode},
		"a device code that is a number":   {device(`"device_code":1`), noDeviceCode},
		"a device code with a line break":  {device(`"device_code":"canary\n"`), noDeviceCode},
		"a device code that is too long":   {device(`"device_code":"` + strings.Repeat("x", maxDeviceCode+1) + `"`), noDeviceCode},
		"two device codes":                 {`{"device_code":"canary","device_code":"canary2"}`, "the body has the member device_code twice"},
		"no user code":                     {device(`"user_code":null`), noUserCode},
		"a user code that is empty":        {device(`"user_code":""`), noUserCode},
		"a user code that is blank":        {device(`"user_code":" "`), noUserCode},
		"a user code with an escape":       {device(`"user_code":"\u001b[31mcanary"`), noUserCode},
		"a user code from right to left":   {device(`"user_code":"\u202ecanary"`), noUserCode},
		"a user code that is too long":     {device(`"user_code":"` + strings.Repeat("x", 65) + `"`), noUserCode},
		"a user code that quotes a secret": {device(`"user_code":"a secret"`), noUserCode},
		"a user code that is the other":    {device(`"device_code":"ABCD-EFGH"`), noUserCode},
		"no URI":                           {device(`"verification_uri":null`), noPage},
	}
	for name, page := range map[string]string{
		"isn't a URL":               "canary",
		"can't be parsed":           "https://canary:x/",
		"isn't https":               "http://canary.example.com/",
		"runs a script":             "javascript:canary",
		"has no host":               "https:///canary",
		"has a user":                "https://canary@example.com/",
		"has a password":            "https://canary:x@example.com/",
		"has a backslash":           `https://example.com\\canary`,
		"has a space":               "https://example.com/ canary",
		"has a line break":          `https://example.com/\ncanary`,
		"has a quotation mark":      `https://example.com/\"canary`,
		"has letters that look so":  "https://ex\u0430mple.com/canary",
		"has a host of odd letters": "https://exa$mple.com/canary",
		"is too long":               "https://example.com/" + strings.Repeat("x", maxURL),
		"quotes the device code":    "https://example.com/the-device-code-itself",
	} {
		tests["a URI that "+name] = struct{ body, why string }{
			device(`"device_code":"the-device-code-itself","verification_uri":"` + page + `"`), noPage}
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseDeviceAuthorization([]byte(tc.body), sent, "secret")
			if got != nil || err == nil {
				t.Fatalf("got %v and error %v, want an error alone", got, err)
			}
			if err.Reason != oautherr.ReasonMalformedResponse || err.Detail != tc.why {
				t.Errorf("got %s: %q, want %q", err.Reason, err.Detail, tc.why)
			}
			if strings.Contains(fmt.Sprintf("%+v", *err), "canary") {
				t.Errorf("the error quotes the body: %+v", *err)
			}
		})
	}
}

// FuzzDeviceAuthorization holds parseDeviceAuthorization to its promise: any
// body gives codes and pages that may be shown, or a Malformed error that quotes
// nothing.
func FuzzDeviceAuthorization(f *testing.F) {
	for _, seed := range []string{
		device(``), device(`"expires_in":"900","interval":5`), device(`"interval":1e999`), device(`"verification_uri":"https://a@b/"`),
		device(`"verification_uri":null,"verification_url":"https://b/"`), device(`"verification_uri_complete":"https://b/?c=ABCD"`),
		`{}`, `[]`, `<html>`, `{"device_code":"a","device_code":"b"}`,
	} {
		f.Add([]byte(seed))
	}
	malformed := map[string]bool{noDeviceCode: true, noUserCode: true, noPage: true, errNoObject.Error(): true}
	for _, name := range []string{"device_code", "user_code", "verification_uri", "verification_url", "verification_uri_complete", "expires_in", "interval"} {
		malformed["the body has the member "+name+" twice"] = true
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseDeviceAuthorization(body, sent, "a-secret-of-the-request")
		if err != nil {
			if got != nil || !malformed[err.Detail] {
				t.Fatalf("got %v, error %+v", got, *err)
			}
			return
		}
		if !isVSCHAR(got.DeviceCode.Reveal(), 1, maxDeviceCode) || !isVSCHAR(got.UserCode, 1, maxUserCode) {
			t.Errorf("the codes cannot be used: %q, %q", got.DeviceCode.Reveal(), got.UserCode)
		}
		if got.Interval < time.Second || got.Interval > 10*time.Minute || !got.ExpiresAt.After(sent) || got.ExpiresAt.Sub(sent) > maxLifetime {
			t.Errorf("the interval is %v and the end %v", got.Interval, got.ExpiresAt)
		}
		for _, page := range []string{got.VerificationURI, got.VerificationURIComplete} {
			u, err := url.Parse(page)
			if page == "" && page != got.VerificationURI {
				continue
			}
			if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || !isVSCHAR(page, 1, maxURL) {
				t.Errorf("nobody may be sent to %q", page)
			}
		}
		for _, text := range []string{got.UserCode, got.VerificationURI, got.VerificationURIComplete} {
			if oautherr.Quotes(got.DeviceCode.Reveal(), "a-secret-of-the-request")(text) {
				t.Errorf("%q quotes a secret", text)
			}
		}
	})
}
