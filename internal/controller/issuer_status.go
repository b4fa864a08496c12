// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/credential"
	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/schedule"
)

// finding is what one look at an issuer came to.
type finding struct {
	ready           bool
	reason, message string
	// transient says that it can end without a change.
	transient bool
	// pause is what the STS asks for before the next call.
	pause time.Duration
	// pending is how long to wait for a discovery, before anything else is known.
	pending time.Duration
}

// verifiedAgain is when an issuer that is well is looked at though nothing was seen to change: metadata
// is used for a day.
const verifiedAgain = 24 * time.Hour

// next is how long until the issuer is looked at again, spread by its UID so that those which were
// created together don't come due together. What it refers to wakes it earlier.
func (f finding) next(uid string) time.Duration {
	if f.ready {
		return verifiedAgain + schedule.Spread(uid, verifiedAgain/10)
	}
	wait := max(recheck, f.pause)
	return wait + schedule.Spread(uid, wait/10)
}

// blockedFinding is that of a credential that can't be used.
func blockedFinding(p *credential.Problem) finding {
	return finding{reason: p.Reason, message: p.Message}
}

// refusedFinding is that of an address that isn't called, or that gave no metadata.
func refusedFinding(e *oautherr.Error, subject oautherr.Subject) finding {
	return finding{reason: string(e.Reason), message: e.Message(subject), transient: !e.Permanent(), pause: e.Pause()}
}

// unselective is the finding about a selector that can't be read, or nil. The schema lets a label
// through that Kubernetes doesn't.
func unselective(i issuer) *finding {
	cluster, ok := i.(*stsv1alpha1.ClusterTokenIssuer)
	if !ok {
		return nil
	}
	if _, err := metav1.LabelSelectorAsSelector(cluster.Spec.NamespaceSelector); err != nil {
		return &finding{reason: stsv1alpha1.ReasonSelectorInvalid,
			message: "spec.namespaceSelector can't be read, so nobody is served. Write keys and values as labels have them: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit."}
	}
	return nil
}

// verifiedMessage says what was found, and what nobody looked for.
func verifiedMessage(i issuer, site credential.Site) string {
	spec := i.Issuer()
	client := credential.ClientName(site.IssuerNamespace, spec)
	at := host(declaredBy(spec))
	if spec.Credential == nil {
		return fmt.Sprintf("%s is known, and client %s needs no credential. Whether it takes the client shows when a token is asked for.", at, client)
	}
	return fmt.Sprintf("%s is known, and the credential of client %s is there. Whether it takes that shows when a token is asked for.", at, client)
}

// issuerStatus is the status after a finding: a pure function of that and what the status was.
func issuerStatus(before stsv1alpha1.IssuerStatus, generation int64, f finding, now time.Time) stsv1alpha1.IssuerStatus {
	s := *before.DeepCopy()
	s.ObservedGeneration = generation
	c := conditions{list: s.Conditions, generation: generation, now: now}
	if f.ready {
		c.set(stsv1alpha1.ConditionReady, metav1.ConditionTrue, f.reason, f.message)
	} else {
		c.set(stsv1alpha1.ConditionReady, metav1.ConditionFalse, f.reason, f.message)
	}
	c.kstatus(f.ready, &failure{reason: f.reason, message: f.message, permanent: !f.transient}, "The operator looks again by itself within minutes.")
	s.Conditions = c.list
	return s
}
