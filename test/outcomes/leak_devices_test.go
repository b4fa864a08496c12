// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/test/stssim"
)

// signedIn is the path on which somebody signs in, and everything ends where it belongs.
const signedIn = "a sign-in that brings a token"

// invitation is a device authorization response.
func invitation(c canaries, change map[string]any) stssim.Action {
	body := map[string]any{"device_code": c.device, "user_code": "WXYZ-BCDF", "verification_uri": "https://sts.example/device", "expires_in": 900, "interval": 1}
	maps.Copy(body, change)
	return stssim.Action{Body: marshal(body)}
}

// devicePaths are the answers to a sign-in: to its beginning, and to the polls.
func devicePaths() []leakPath {
	begin := func(name string, act func(c canaries) stssim.Action) leakPath {
		return pathOf("a device authorization "+name, word, func(c canaries) row {
			return row{asked: stssim.KindDevice, act: act(c), spec: signsIn, client: public}
		})
	}
	polled := func(name string, act func(c canaries) stssim.Action) leakPath {
		return pathOf(name, word, func(c canaries) row {
			return row{act: act(c), besides: map[stssim.Kind]stssim.Action{stssim.KindDevice: invitation(c, nil)},
				spec: both(signsIn, expects("somebody-else")), client: public, meanwhile: awaitPoll}
		}).calledTwice()
	}
	changed := func(name string, change func(c canaries) map[string]any) leakPath {
		return begin(name, func(c canaries) stssim.Action { return invitation(c, change(c)) })
	}
	paths := []leakPath{
		changed("whose verification_uri is the device code", func(c canaries) map[string]any {
			return map[string]any{"verification_uri": "https://sts.example/" + c.device}
		}),
		changed("whose verification_uri has the device code as its host", func(c canaries) map[string]any {
			return map[string]any{"verification_uri": "https://" + c.device + ".example/"}
		}),
		changed("whose complete verification_uri is the device code", func(c canaries) map[string]any {
			return map[string]any{"verification_uri_complete": "https://sts.example/?code=" + c.device}
		}),
		changed("whose user code is the device code", func(c canaries) map[string]any { return map[string]any{"user_code": c.device} }),
		changed("whose device code is cut into its user code", func(c canaries) map[string]any { return map[string]any{"user_code": c.device[4:24]} }),
		changed("whose message is the device code", func(c canaries) map[string]any { return map[string]any{"message": "Enter " + c.device} }),
		changed("whose interval is the device code", func(c canaries) map[string]any { return map[string]any{"interval": c.device, "expires_in": c.device} }),
		changed("with an error", func(c canaries) map[string]any { return map[string]any{"error": c.device} }),
		begin("that is truncated", func(c canaries) stssim.Action {
			act := invitation(c, nil)
			act.Body, act.Truncate = act.Body+strings.Repeat(" ", 4<<10), true
			return act
		}),
		begin("in HTML", func(c canaries) stssim.Action {
			return stssim.Action{Body: "<html>" + c.device + "</html>", ContentType: "text/html"}
		}),
		begin("that redirects", func(c canaries) stssim.Action {
			return stssim.Action{Status: http.StatusFound, Headers: map[string]string{"Location": "https://elsewhere.example/" + c.device}}
		}),
		polled("a sign-in of a stranger", func(c canaries) stssim.Action { return stssim.Action{Body: response(c)} }),
		polled("a poll refused with the device code in WWW-Authenticate", func(c canaries) stssim.Action {
			return stssim.Action{Status: http.StatusUnauthorized, Headers: map[string]string{"WWW-Authenticate": `Bearer error="invalid_token", error_description="` + c.device + `"`}}
		}),
		polled("a poll that redirects", func(c canaries) stssim.Action {
			return stssim.Action{Status: http.StatusFound, Headers: map[string]string{"Location": "https://elsewhere.example/?c=" + url.QueryEscape(c.device)}}
		}),
		polled("a poll that is truncated", func(c canaries) stssim.Action {
			return stssim.Action{Body: response(c) + strings.Repeat(" ", 4<<10), Truncate: true}
		}),
		polled("a poll whose form is echoed", func(canaries) stssim.Action {
			return stssim.Action{Error: &stssim.ErrorBody{Error: "expired_token", Description: "Cannot read:", Echo: true}}
		}),
	}
	for _, member := range members {
		paths = append(paths, polled("a poll with the device code of "+spelling(member.secret)+" in "+member.name, func(c canaries) stssim.Action {
			body := map[string]any{"error": "access_denied", "error_description": "no"}
			body[member.name] = member.value(c.device)
			return stssim.Action{Status: http.StatusBadRequest, Body: marshal(body)}
		}))
	}
	good := polled(signedIn, func(c canaries) stssim.Action { return stssim.Action{Body: response(c)} })
	good.spec = both(signsIn, expects(""))
	return append(paths, good)
}

// expects has the request want a person, or anybody for "".
func expects(subject string) func(*stsv1alpha1.TokenRequest) {
	return func(r *stsv1alpha1.TokenRequest) { r.Spec.Grant.DeviceCode.ExpectedSubject = subject }
}

// awaitPoll waits until the STS was asked whether somebody has signed in, and the status tells what it
// said.
func awaitPoll(ctx context.Context, s *stop) {
	Eventually(func(g Gomega) {
		issued := meta.FindStatusCondition(s.now(ctx, g).Status.Conditions, stsv1alpha1.ConditionIssued)
		g.Expect(issued).NotTo(BeNil(), s.name)
		g.Expect(issued.Reason).NotTo(Equal(stsv1alpha1.ReasonAuthorizationPending), s.name)
	}).WithContext(ctx).Should(Succeed())
}
