// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/oautherr"
)

const (
	goldenFile = "testdata/outcomes.golden.md"
	// updateGolden is the environment variable that has the file written anew.
	updateGolden = "UPDATE_GOLDEN"
	howToUpdate  = updateGolden + "=1 go test ./test/outcomes"
)

const goldenHead = `# What people read when a token request ends, and how

Every outcome of a token request, as the running operator shows it in the status of a TokenRequest. The test in
test/outcomes walks through all of them and compares. Who changes a message reads it here as its reader will, and has
the file written anew:

    ` + howToUpdate + `

Each section says what the STS did, how many calls that was, and when the operator asks again at the earliest (a tenth
more at most, so that those who wait together don't come back together). Then come the conditions in full, what is known
of the token, and what stands in status.lastError beside the remedy that ends the message. The token service is called
sts.example, the namespace payments, the client shop.
`

var _ = Describe("Every outcome of a token request", Ordered, ContinueOnFailure, func() {
	var stops map[string]*stop
	var golden map[string]string

	BeforeAll(func(ctx SpecContext) {
		stops = map[string]*stop{}
		walked := newStops("outcome", allRows())
		walk(ctx, walked, cluster.Run).Stop()
		for _, s := range walked {
			Expect(stops).NotTo(HaveKey(s.name))
			stops[s.name] = s
		}
		if os.Getenv(updateGolden) != "" {
			Expect(os.WriteFile(goldenFile, []byte(document(stops)), 0o600)).To(Succeed())
		}
		text, err := os.ReadFile(goldenFile)
		Expect(err).NotTo(HaveOccurred(), "to have it written: %s", howToUpdate)
		golden = sections(string(text))
	}, NodeTimeout(5*time.Minute))

	for _, g := range groups {
		Describe(g.subject, func() {
			for _, r := range g.rows {
				It(r.name, func() {
					s := stops[r.name]
					s.expectFacts()
					if diff := difference(golden[r.name], s.section()); diff != "" {
						Fail(fmt.Sprintf("%s says otherwise (- golden file, + now):\n%s\nIf the new text is better for its reader: %s", goldenFile, diff, howToUpdate))
					}
				})
			}
		})
	}

	It("has no section of a row that is gone", func() {
		var gone []string
		for _, name := range slices.Sorted(maps.Keys(golden)) {
			if _, isRow := stops[name]; !isRow {
				gone = append(gone, name)
			}
		}
		Expect(gone).To(BeEmpty(), "to have the file written anew: %s", howToUpdate)
	})

	It("shows every reason that an STS's answer can have", func() {
		shown := map[string]bool{}
		for _, s := range stops {
			for _, c := range s.status.Conditions {
				shown[c.Reason] = true
			}
		}
		var missing []oautherr.Reason
		for _, reason := range oautherr.Reasons() {
			if !shown[string(reason)] {
				missing = append(missing, reason)
			}
		}
		Expect(missing).To(BeEmpty(), "a row is missing that comes to each of these")
	})
})

// expectFacts checks what a row declares.
func (s *stop) expectFacts() {
	GinkgoHelper()
	Expect(s.count()).To(Equal(s.calls), "calls")
	s.expectRefresh()
	status := s.status
	if status.LastError == nil {
		Expect(s.wait).To(BeZero(), "nothing failed, and so nothing is waited for")
		return
	}
	Expect(status.LastError.Attempts).To(BeEquivalentTo(1), "the first outcome was missed")
	if s.wait == 0 {
		Expect(status.NextAttemptAt).To(BeNil())
		return
	}
	Expect(status.NextAttemptAt).NotTo(BeNil())
	seen := status.LastError.LastSeen.Time
	wait := status.NextAttemptAt.Sub(seen)
	Expect(wait).To(And(BeNumerically(">=", s.wait), BeNumerically("<=", spread(s.longestWait(seen))+time.Second)), "the wait for the next attempt")
}

// longestWait is from when the failure was seen until its attempt may be due at the latest. On a busy
// machine the answer is collected after the wait has passed already, and the attempt is due at once.
func (s *stop) longestWait(seen time.Time) time.Duration { return max(s.wait, s.shown.Sub(seen)) }

// spread is by how much those who wait together may be kept apart.
func spread(wait time.Duration) time.Duration { return wait + wait/10 }

// expectRefresh checks that a token is replaced within its life.
func (s *stop) expectRefresh() {
	GinkgoHelper()
	token := s.status.Token
	if token == nil || meta.IsStatusConditionFalse(s.status.Conditions, stsv1alpha1.ConditionIssued) {
		return
	}
	Expect(s.status.NextAttemptAt.Equal(token.RefreshAt)).To(BeTrue(), "the next step is the refresh")
	Expect(token.RefreshAt.Time).To(BeTemporally(">", token.IssuedAt.Time))
	if token.ExpiresAt == nil {
		return
	}
	Expect(token.RefreshAt.Time).To(BeTemporally("<", token.ExpiresAt.Time))
	if s.lives != 0 {
		// A call may take as long as its timeout.
		life := token.ExpiresAt.Sub(token.IssuedAt.Time)
		Expect(life).To(And(BeNumerically(">=", s.lives), BeNumerically("<=", s.lives+20*time.Second)), "the token's life")
	}
}

// document is the whole golden file.
func document(stops map[string]*stop) string {
	GinkgoHelper()
	var b strings.Builder
	b.WriteString(goldenHead)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", g.subject, g.about)
		for _, r := range g.rows {
			b.WriteString("\n" + stops[r.name].section())
		}
	}
	return b.String()
}

// sections are those of a golden file, by their headlines.
func sections(text string) map[string]string {
	found := map[string]string{}
	var name string
	for line := range strings.Lines(text) {
		switch headline, isRow := strings.CutPrefix(line, "### "); {
		case isRow:
			name = strings.TrimSpace(headline)
		case strings.HasPrefix(line, "## "):
			name = ""
		}
		if name != "" {
			found[name] += line
		}
	}
	for name, section := range found {
		found[name] = strings.TrimRight(section, "\n") + "\n"
	}
	return found
}
