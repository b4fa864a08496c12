// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/sts"
)

// Keys of the Secret that keeps a chain.
const (
	keyRefreshToken  = "refresh_token"
	keyOrigin        = "origin"
	keyIssuer        = "issuer"
	keySpending      = "spending"
	keyEnded         = "ended"
	keyDeviceCode    = "device_code"
	keyUserCode      = "user_code"
	keyVerifyAt      = "verification_uri"
	keyVerifyAtWhole = "verification_uri_complete"
	keyDeviceExpires = "device_expires_at"
	keyDevicePoll    = "device_interval"
)

// Chain is what a grant needs to remember between two answers of the STS: the refresh token that it
// wants to see next, and the device code with which somebody is to sign in. It lives in a Secret of
// its own, since whoever mounts the token must not read it. The zero value is a chain that hasn't
// begun. It prints without its secrets.
type Chain struct {
	// RefreshToken is what the STS wants next; empty before the first.
	RefreshToken sts.Sensitive
	// Origin tells chains apart: what the refresh token goes back to. See Origin.
	Origin string
	// Issuer tells, as Origin does, for whom and with whom somebody signed in: a refresh token goes nowhere else.
	// Empty for one that was seeded.
	Issuer string
	// Spending says that the refresh token has left and no answer to that has been stored: the STS
	// may have replaced it.
	Spending bool
	// Ended is the reason, of api/v1alpha1, why the chain can't go on by itself; empty while it can.
	Ended string
	// Device is the sign-in that is waited for; nil while none is.
	Device *SignIn
}

// SignIn is a person's sign-in elsewhere, under way (RFC 8628).
type SignIn struct {
	// Code is what the STS is polled with.
	Code sts.Sensitive
	// UserCode, URI and CompleteURI are for the person; CompleteURI may be empty.
	UserCode, URI, CompleteURI string
	// ExpiresAt is when the codes end, in whole seconds, UTC.
	ExpiresAt time.Time
	// Interval is the time between two polls, in whole seconds.
	Interval time.Duration
}

// Format writes what may be shown, whatever the verb: fmt doesn't ask the members behind a pointer how
// they want to be shown.
func (c Chain) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "chain %s, refresh token %t, spending %t, ended %q, sign-in %t", c.Origin, c.RefreshToken != "", c.Spending, c.Ended, c.Device != nil)
}

// Format writes what may be shown, whatever the verb.
func (s SignIn) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "sign-in at %s until %s", s.URI, stamp(s.ExpiresAt))
}

// Origin is the versioned hash of what a chain goes back to: the refresh token that somebody seeded,
// which has far more entropy than can be guessed from it, or the inputs of a sign-in.
func Origin(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hashVersion + hex.EncodeToString(sum[:])
}

// StoreName is the name of the Secret that keeps a request's chain.
func StoreName(request *stsv1alpha1.TokenRequest) string {
	var store *stsv1alpha1.StoreRef
	if grant := request.Spec.Grant; grant != nil {
		switch {
		case grant.RefreshToken != nil:
			store = grant.RefreshToken.Store
		case grant.DeviceCode != nil:
			store = grant.DeviceCode.Store
		}
	}
	if store != nil {
		return string(store.Name)
	}
	return request.Name + "-refresh"
}

// storeField is where the spec names that Secret.
func storeField(request *stsv1alpha1.TokenRequest) string {
	if request.Spec.Grant != nil && request.Spec.Grant.DeviceCode != nil {
		return "spec.grant.deviceCode.store.name"
	}
	return "spec.grant.refreshToken.store.name"
}

// ReadChain reads the chain that a Secret keeps. What can't be read is as if it weren't there: a sign-in
// with a part missing is none.
func ReadChain(s *corev1.Secret) Chain {
	text := func(key string) string { return string(s.Data[key]) }
	c := Chain{
		RefreshToken: sts.Sensitive(s.Data[keyRefreshToken]),
		Origin:       text(keyOrigin),
		Issuer:       text(keyIssuer),
		Spending:     text(keySpending) != "",
		Ended:        text(keyEnded),
	}
	expires, ok := instant(text(keyDeviceExpires))
	interval, err := time.ParseDuration(text(keyDevicePoll))
	if code := s.Data[keyDeviceCode]; ok && err == nil && interval > 0 && len(code) > 0 {
		c.Device = &SignIn{
			Code:     sts.Sensitive(code),
			UserCode: text(keyUserCode), URI: text(keyVerifyAt), CompleteURI: text(keyVerifyAtWhole),
			ExpiresAt: expires, Interval: interval,
		}
	}
	return c
}

func (c Chain) data() map[string][]byte {
	data := map[string][]byte{keyOrigin: []byte(c.Origin)}
	put := func(key, value string) {
		if value != "" {
			data[key] = []byte(value)
		}
	}
	put(keyIssuer, c.Issuer)
	put(keyRefreshToken, c.RefreshToken.Reveal())
	put(keyEnded, c.Ended)
	if c.Spending {
		put(keySpending, "true")
	}
	if d := c.Device; d != nil {
		put(keyDeviceCode, d.Code.Reveal())
		put(keyUserCode, d.UserCode)
		put(keyVerifyAt, d.URI)
		put(keyVerifyAtWhole, d.CompleteURI)
		put(keyDeviceExpires, stamp(d.ExpiresAt))
		put(keyDevicePoll, d.Interval.String())
	}
	return data
}

// Keep is the Secret that keeps a chain, new or made of the one that is held: with all of the chain
// and nothing else, whoever wrote there. The state must be Free, Ours or Inherited.
func (h Holding) Keep(request *stsv1alpha1.TokenRequest, chain Chain) *corev1.Secret {
	var s *corev1.Secret
	switch h.State {
	case Free:
		s = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: StoreName(request), OwnerReferences: []metav1.OwnerReference{Owner(request)}},
			Type:       corev1.SecretTypeOpaque,
		}
	case Ours, Inherited:
		s = h.Secret.DeepCopy()
	case Consenting, Foreign:
		panic("keeping a refresh token in Secret " + h.Secret.Name + ", which isn't the request's")
	}
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	maps.Copy(s.Labels, h.labels(&stsv1alpha1.TokenSecret{}))
	for i, owner := range s.OwnerReferences {
		if owner.Controller != nil && *owner.Controller {
			s.OwnerReferences[i] = Owner(request)
		}
	}
	s.Data = chain.data()
	return s
}

// UnusableStore says why a Secret can't keep the request's chain, and what to do; it is empty when
// nothing is in the way. Consent isn't asked for: a refresh token is kept in no Secret but our own.
func (h Holding) UnusableStore(request *stsv1alpha1.TokenRequest) string {
	name := StoreName(request)
	switch {
	case h.State == Free:
		return ""
	case h.State == Foreign:
		return fmt.Sprintf("Secret %s, which is to keep the refresh token, belongs to %s. Choose another %s, or delete that Secret.", name, h.Holder(), storeField(request))
	case h.State == Consenting:
		return fmt.Sprintf("Secret %s, which is to keep the refresh token, is somebody else's, and consent doesn't extend to refresh tokens. Choose another %s.", name, storeField(request))
	case h.Secret.Immutable != nil && *h.Secret.Immutable:
		return fmt.Sprintf("Secret %s, which is to keep the refresh token, is immutable. Delete it, or choose another %s.", name, storeField(request))
	default:
		return ""
	}
}
