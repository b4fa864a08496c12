// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"slices"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// locate finds the token endpoint as far as that needs no call.
func (r *Reconciler) locate(a *attempt) *outcome {
	meta, known := r.STS.Known(a.authority(), a.credential.Transport)
	if known {
		if e := a.refuseQuoting(meta); e != nil {
			return a.declined(e)
		}
	}
	a.address(meta)
	address := a.endpoint
	// Without an endpoint the authority is what will be called first; no credential goes there.
	if e := r.STS.CheckURL(cmp.Or(address, string(a.issuer.Authority))); e != nil {
		return a.declined(e)
	}
	if e := r.STS.CheckProxy(a.credential.Transport.ProxyURL); e != nil {
		return a.declined(e)
	}
	if address == "" {
		return nil
	}
	if problem := a.permitted(); problem != nil {
		return new(blockedBy(problem))
	}
	return nil
}

// permitted says that the credential may not go where it is to go, or nothing.
func (a *attempt) permitted() *credential.Problem {
	for _, address := range []string{a.endpoint, a.device} {
		if address == "" {
			continue
		}
		if problem := a.credential.Permits(address); problem != nil {
			return problem
		}
	}
	return nil
}

// address takes the endpoints and the way of authentication from the spec, and what it leaves out from
// the STS's metadata.
func (a *attempt) address(meta sts.Metadata) {
	a.meta = meta
	a.method = authMethod(a, meta)
	token, device := meta.Endpoints(a.method)
	a.endpoint = cmp.Or(string(a.issuer.TokenEndpoint), token)
	a.device = ""
	if a.signsIn() {
		a.device = cmp.Or(string(a.issuer.DeviceAuthorizationEndpoint), device)
	}
}

// declined is the outcome of a call that isn't made.
func (a *attempt) declined(e *oautherr.Error) *outcome {
	return &outcome{kind: blocked, reason: string(e.Reason), message: e.Message(a.subject())}
}

// authMethod is how the client proves itself: what the spec says, else what the STS's metadata says.
func authMethod(a *attempt, meta sts.Metadata) sts.AuthMethod {
	switch {
	case a.credential.Method != "":
		return a.credential.Method
	case a.credential.Secret == "":
		return sts.AuthNone
	}
	return sts.DefaultAuthMethod(meta)
}

// discover finds out what is missing of an authority that wasn't known without a call. Done means
// that the token is not to be asked for.
func (r *Reconciler) discover(ctx context.Context, a *attempt) (Answer, bool) {
	if a.located() {
		return Answer{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout())
	defer cancel()
	meta, e := r.STS.Discover(ctx, string(a.issuer.Authority), a.credential.Transport)
	if e == nil {
		e = a.refuseQuoting(meta)
	}
	if e != nil {
		answer := Answer{endpoint: a.endpoint}
		answer.verdict, answer.called = r.remember(a, a.credential.Redact(e))
		return answer, true
	}
	a.address(meta)
	if problem := a.permitted(); problem != nil {
		return Answer{problem: problem, endpoint: a.endpoint}, true
	}
	if a.authorize && a.device == "" {
		return Answer{problem: noDeviceEndpoint(a), endpoint: a.endpoint}, true
	}
	return Answer{}, false
}

// located says that nothing of the STS has to be discovered for this call.
func (a *attempt) located() bool {
	return a.endpoint != "" && (!a.authorize || a.device != "") && (!a.credential.AudienceIssuer || a.meta.Issuer != "")
}

func noDeviceEndpoint(a *attempt) *credential.Problem {
	return &credential.Problem{Reason: stsv1alpha1.ReasonUnsupportedGrantType, Message: "The metadata of " + host(declaredBy(a.issuer)) +
		" names no device authorization endpoint (RFC 8628). Set deviceAuthorizationEndpoint of " + a.issuerName() + ", or use another grant."}
}

// refuseQuoting refuses metadata whose token endpoint, which people see in gates and conditions, a
// server has put together from the secret that it was sent before.
func (a *attempt) refuseQuoting(meta sts.Metadata) *oautherr.Error {
	addresses := []string{meta.TokenEndpoint, meta.MTLSTokenEndpoint, meta.DeviceAuthorizationEndpoint, meta.MTLSDeviceAuthorizationEndpoint}
	if slices.ContainsFunc(addresses, a.credential.Quotes()) {
		return oautherr.Refused(oautherr.ReasonEndpointRefused, "an endpoint in the metadata quotes what was sent to be kept secret")
	}
	return nil
}
