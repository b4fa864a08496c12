// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	defaultDeviceInterval = Duration(5 * time.Second)
	defaultDeviceLifetime = Duration(15 * time.Minute)

	// slowDown is what each slow_down adds to the interval (RFC 8628, section 3.5).
	slowDown = 5 * time.Second
	// pollTolerance is how much too early a poll may come: the network delays one
	// request more than the next.
	pollTolerance = 100 * time.Millisecond

	// userCodeLetters are RFC 8628's, section 6.1, which spell no words.
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
)

// DeviceState says what became of a device code.
type DeviceState string

// The states of a device code.
const (
	DevicePending  DeviceState = "pending"
	DeviceApproved DeviceState = "approved"
	DeviceDenied   DeviceState = "denied"
	// DeviceRedeemed was approved and traded for a token.
	DeviceRedeemed DeviceState = "redeemed"
)

// DeviceCode is what may be known of a device authorization: the code that a
// person types in, but not the one that is traded for a token.
type DeviceCode struct {
	UserCode  string      `json:"userCode"`
	Tenant    string      `json:"tenant"`
	ClientID  string      `json:"clientID"`
	Scope     string      `json:"scope,omitempty"`
	ExpiresAt time.Time   `json:"expiresAt"`
	State     DeviceState `json:"state"`
}

// DeviceCodes lists the device authorizations, the expired ones included, in
// the order of their beginning.
func (s *Server) DeviceCodes() []DeviceCode { return s.devices.list() }

// ApproveDevice signs a person in with a user code, which may be written in any
// case and without its hyphen.
func (s *Server) ApproveDevice(userCode string, person Person) error {
	return s.devices.decide(userCode, DeviceApproved, person, s.clock())
}

// DenyDevice has the person say no.
func (s *Server) DenyDevice(userCode string) error {
	return s.devices.decide(userCode, DeviceDenied, Person{}, s.clock())
}

type device struct {
	DeviceCode
	secret   string
	interval time.Duration
	polled   time.Time
	person   Person
}

type deviceCodes struct {
	mu      sync.Mutex
	devices []*device
}

func newDeviceCodes() *deviceCodes { return &deviceCodes{} }

func (d *deviceCodes) list() []DeviceCode {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []DeviceCode{}
	for _, entry := range d.devices {
		list = append(list, entry.DeviceCode)
	}
	return list
}

func (d *deviceCodes) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.devices = nil
}

func (d *deviceCodes) decide(userCode string, state DeviceState, person Person, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, entry := range d.devices {
		if normalUserCode(entry.UserCode) != normalUserCode(userCode) {
			continue
		}
		if !now.Before(entry.ExpiresAt) {
			return fmt.Errorf("deciding on user code %q: it has expired", userCode)
		}
		if entry.State != DevicePending {
			return fmt.Errorf("deciding on user code %q: it is %s", userCode, entry.State)
		}
		entry.State, entry.person = state, person
		return nil
	}
	return errors.New("deciding on a user code: there is no such code")
}

func normalUserCode(code string) string {
	return strings.ToUpper(strings.ReplaceAll(code, "-", ""))
}

// newUserCode is eight letters, with a hyphen to read them by below /plain.
func newUserCode(plain bool) string {
	var letters strings.Builder
	// rand.Text is base32: what of it isn't in the alphabet is passed over.
	for letters.Len() < 8 {
		for _, letter := range rand.Text() {
			if letters.Len() < 8 && strings.ContainsRune(userCodeLetters, letter) {
				letters.WriteRune(letter)
			}
		}
	}
	if plain {
		return letters.String()[:4] + "-" + letters.String()[4:]
	}
	return letters.String()
}

// deviceSuccess is the response of RFC 8628, section 3.2, with Entra's message.
type deviceSuccess struct {
	UserCode                string `json:"user_code"`
	DeviceCode              string `json:"device_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete,omitempty"`
	ExpiresIn               int    `json:"expires_in"`
	Interval                int    `json:"interval"`
	Message                 string `json:"message,omitempty"`
}

// authorizeDevice begins a sign-in for a client that was authenticated.
func (s *Server) authorizeDevice(req *request, client registered) deviceSuccess {
	interval := time.Duration(cmp.Or(client.DeviceInterval, defaultDeviceInterval))
	lifetime := time.Duration(cmp.Or(client.DeviceLifetime, defaultDeviceLifetime))
	entry := &device{
		DeviceCode: DeviceCode{
			UserCode: newUserCode(req.plain), Tenant: client.Tenant, ClientID: client.ID, Scope: req.scope,
			ExpiresAt: s.clock().Add(lifetime), State: DevicePending,
		},
		secret:   OpaqueMarker + "device-" + rand.Text(),
		interval: interval,
	}
	s.tokens.remember([]string{entry.secret})
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	s.devices.devices = append(s.devices.devices, entry)
	return deviceSuccess{
		UserCode: entry.UserCode, DeviceCode: entry.secret,
		ExpiresIn: int(lifetime / time.Second), Interval: int(interval / time.Second),
	}
}

// redeemDevice is one poll (RFC 8628, section 3.4).
func (s *Server) redeemDevice(req *request, client registered) (award, *refusal) {
	if no := required(req, "device_code"); no != nil {
		return award{}, no
	}
	return s.devices.poll(req, client, s.clock())
}

func (d *deviceCodes) poll(req *request, client registered, now time.Time) (award, *refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := slices.IndexFunc(d.devices, func(entry *device) bool {
		return entry.secret == req.form.Get("device_code") && keyOf(entry.Tenant, entry.ClientID) == keyOf(client.Tenant, client.ID)
	})
	if at < 0 {
		return award{}, unknownDevice(req)
	}
	entry := d.devices[at]
	switch {
	case entry.State == DeviceRedeemed:
		return award{}, refuseGrant(54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
	case !now.Before(entry.ExpiresAt):
		return award{}, refuse(http.StatusBadRequest, "expired_token", 70019, "Verification code expired.")
	case entry.State == DeviceDenied:
		return award{}, deniedDevice(req)
	case entry.State == DevicePending:
		return award{}, entry.wait(now)
	}
	entry.State = DeviceRedeemed
	return award{person: &entry.person, signedIn: true, scope: entry.Scope}, nil
}

// wait is the answer to a poll while the person has not decided.
func (d *device) wait(now time.Time) *refusal {
	early := !d.polled.IsZero() && now.Before(d.polled.Add(d.interval-pollTolerance))
	d.polled = now
	if early {
		d.interval += slowDown
		return &refusal{status: http.StatusBadRequest, code: "slow_down", message: "The device polls too often."}
	}
	return refuse(http.StatusBadRequest, "authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling.")
}

// unknownDevice and deniedDevice have words of Entra's own; RFC 8628 leaves the
// first to RFC 6749, section 5.2.
func unknownDevice(req *request) *refusal {
	no := refuse(http.StatusBadRequest, "bad_verification_code", 70018, "Bad verification code.")
	if req.plain {
		no.code = "invalid_grant"
	}
	return no
}

func deniedDevice(req *request) *refusal {
	no := refuse(http.StatusBadRequest, "authorization_declined", 65004, "User declined to consent to access the app.")
	if req.plain {
		no.code = "access_denied"
	}
	return no
}
