// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
)

// failure is one way in which no complete answer arrives. Its detail completes
// "<host> could not be reached: ...". Texts of Go errors are not used: they hold
// addresses and ports that differ from attempt to attempt, URLs, and what a
// proxy wrote.
type failure struct {
	detail string
	class  Class
	remedy string
	is     func(error) bool
}

const detailCanceled = "the call was given up"

const (
	checkName      = "Check the host in the authority or tokenEndpoint of {issuer}, and that the cluster's DNS resolves {host}."
	checkRoute     = "Check that {host} runs and that network policies, firewalls and proxies let the operator reach it."
	trustAuthority = "Put the certificate authority that signs for {host} into {issuer}, in tls.caBundle or tls.caBundleRef."
	nameHost       = "Set the authority or tokenEndpoint of {issuer} to a name that is in the certificate of {host}, or have that certificate replaced."
	renewServer    = "Have the certificate of {host} renewed, and check the clock of the operator's node."
	replaceServer  = "Have the certificate of {host} replaced by one that may serve TLS, or correct tls.caBundle of {issuer}."
	correctPort    = "Correct the port in the authority or tokenEndpoint of {issuer}: what answers at {host} is not the token service."
	checkProxy     = "Check the proxyURL of {issuer}, or the operator's HTTPS_PROXY and NO_PROXY."
	replaceClient  = "Put a client certificate that {host} accepts for {client} into {credential}."
	alignTLS       = "Check that {host} offers TLS 1.2 or later, and whether it wants a client certificate from {client}."
)

// failures are tried in order, the more telling before the more general: a
// lookup that times out is a timeout of DNS, and a *tls.CertificateVerificationError
// wraps each certificate error. The last is whatever none of the others is.
var failures = []failure{
	{detailCanceled, Client, askAgain, func(err error) bool { return errors.Is(err, context.Canceled) }},
	{"its name does not resolve", Transient, checkName, func(err error) bool {
		dns, ok := errors.AsType[*net.DNSError](err)
		return ok && dns.IsNotFound
	}},
	{"looking up its name did not succeed", Transient, checkName, as[*net.DNSError]},
	{"its certificate is signed by an unknown authority", Configuration, trustAuthority, as[x509.UnknownAuthorityError]},
	{"its certificate is for another name", Configuration, nameHost, as[x509.HostnameError]},
	{"its certificate has expired or is not valid yet", Configuration, renewServer, func(err error) bool {
		invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
		return ok && invalid.Reason == x509.Expired
	}},
	{"its certificate was not accepted", Configuration, replaceServer, func(err error) bool {
		return as[x509.CertificateInvalidError](err) || as[*tls.CertificateVerificationError](err)
	}},
	{"it does not speak TLS", Configuration, correctPort, func(err error) bool {
		return as[tls.RecordHeaderError](err) || errors.Is(err, http.ErrSchemeMismatch)
	}},
	{"it refused the client's certificate", Credential, replaceClient, func(err error) bool {
		return strings.Contains(alert(err), "certificate")
	}},
	{"it refused the TLS handshake", Configuration, alignTLS, func(err error) bool { return alert(err) != "" }},
	{"the proxy before it wants credentials", Configuration, authenticateProxy, proxyWantsCredentials},
	{"the proxy before it cannot be reached", Transient, checkProxy, func(err error) bool {
		op, ok := errors.AsType[*net.OpError](err)
		return ok && op.Op == "proxyconnect"
	}},
	{"it did not answer in time", Transient, checkRoute, timesOut},
	{"it refused the connection", Transient, checkRoute, is(syscall.ECONNREFUSED)},
	{"it reset the connection", Transient, checkRoute, is(syscall.ECONNRESET, syscall.EPIPE)},
	{"no route leads to it", Transient, checkRoute, is(syscall.EHOSTUNREACH, syscall.ENETUNREACH)},
	{"it closed the connection too early", Transient, checkRoute, is(io.EOF, io.ErrUnexpectedEOF, net.ErrClosed)},
	{"its answer is not HTTP", Configuration, correctPort, func(err error) bool {
		return strings.Contains(err.Error(), "malformed HTTP") // net/http has no type for it
	}},
	{"the connection failed", Transient, checkRoute, func(error) bool { return true }},
}

// FromTransport returns the Error for a call that no answer came back to, and
// nil for nil. An *Error that err wraps is returned as it is, so that a dialer
// can refuse an address with Refused. When the caller gave up, Canceled reports
// it.
func FromTransport(err error) *Error {
	if err == nil {
		return nil
	}
	if ours, ok := errors.AsType[*Error](err); ok {
		return ours
	}
	met := failures[slices.IndexFunc(failures, func(f failure) bool { return f.is(err) })]
	return &Error{Class: met.class, Reason: ReasonConnectionFailed, Detail: met.detail}
}

// failure returns the failure that e was made of, and the most general one when
// another release stored e.
func (e *Error) failure() failure {
	if i := slices.IndexFunc(failures, func(f failure) bool { return f.detail == e.Detail }); i >= 0 {
		return failures[i]
	}
	return failures[len(failures)-1]
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func is(targets ...error) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
}

func timesOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || is(context.DeadlineExceeded, os.ErrDeadlineExceeded)(err)
}

// alert returns the TLS alert that the peer sent, in crypto/tls's own words,
// which has no exported type for it.
func alert(err error) string {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" || op.Err == nil {
		return ""
	}
	return op.Err.Error()
}

// proxyWantsCredentials recognises what net/http makes of a 407 to CONNECT: an
// untyped error with the reason phrase.
func proxyWantsCredentials(err error) bool {
	call, ok := errors.AsType[*url.Error](err)
	return ok && call.Err != nil && call.Err.Error() == http.StatusText(http.StatusProxyAuthRequired)
}
