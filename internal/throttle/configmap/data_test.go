// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package configmap

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/throttle"
)

// FuzzDecode reads a ConfigMap that anybody may have edited, as a new leader does.
func FuzzDecode(f *testing.F) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Add("by-hand", "hello", []byte(nil))
	f.Add("rate-0123", "{not json", []byte{0xff})
	f.Add("rate-0123", `{"kind":"Rate","until":"9999-01-01T00:00:00Z"}`, []byte(nil))
	f.Add("rate-b46a47be3f0e6d1ab3ac23a8e6e6ec07", `{"kind":"Rate","domain":"ns/a","endpoint":"https://sts.example/token","client":"app","scopes":["b","a"],
		"since":"2026-01-02T03:04:05Z","until":"2026-01-02T03:05:05Z","attempts":2,"remembered":{"class":"Throttled","reason":"Throttled","retryAfter":"60s"}}`, []byte(nil))
	f.Add("", `{"kind":"Refused","since":"0001-01-01T00:00:00Z","until":"2026-01-02T03:05:05+14:00","attempts":-1}`, []byte(nil))
	f.Fuzz(func(t *testing.T, key, value string, binary []byte) {
		object := &corev1.ConfigMap{Data: map[string]string{key: value}}
		if e, ok := readEntry[*oautherr.Error](value); ok { // the fuzzer can't find a digest
			object.Data[e.Key()] = value
		}
		if binary != nil {
			object.BinaryData = map[string][]byte{key: binary}
		}
		entries, problems := decode[*oautherr.Error](object)
		if len(entries)+len(problems) != len(object.Data)+len(object.BinaryData) {
			t.Fatalf("%d gates and %d problems out of %d keys", len(entries), len(problems), len(object.Data)+len(object.BinaryData))
		}
		gates := throttle.New[*oautherr.Error](throttle.Limits{}, clocktesting.NewFakePassiveClock(now))
		gates.Restore(entries)
		held, _ := gates.Snapshot()
		for _, e := range held {
			if !e.Until.After(now) || e.Until.After(now.Add(time.Hour+time.Second)) || e.Since.After(now) || e.Attempts < 1 {
				t.Fatalf("a gate holds from %s to %s after %d attempts", e.Since, e.Until, e.Attempts)
			}
		}
		rewritten, err := encode(held)
		if err != nil {
			t.Fatal(err)
		}
		again, problems := decode[*oautherr.Error](&corev1.ConfigMap{Data: rewritten})
		if len(problems) > 0 {
			t.Fatalf("what was written can't be read: %v", problems)
		}
		if len(value) < 1<<10 && len(held) > 0 && !cmp.Equal(held, again) { // one of many bytes may have no place
			t.Fatalf("written and read again (-want +got):\n%s", cmp.Diff(held, again))
		}
	})
}

func TestWhatHasAPlace(t *testing.T) {
	of := func(domain, name string, size int) datum {
		return datum{key: name, value: strings.Repeat("x", size-len(name)), domain: domain}
	}
	for _, c := range []struct {
		name string
		data []datum // the first to open first
		want []string
	}{
		{"all that is within the bounds", []datum{of("a", "1", 40), of("b", "2", 40), of("c", "3", 20)}, []string{"1", "2", "3"}},
		{"the last to open of a domain", []datum{of("a", "1", 20), of("b", "2", 20), of("a", "3", 20), of("a", "4", 20)}, []string{"2", "3", "4"}},
		{"none that is too much by itself, which pushes out no other", []datum{of("a", "1", 20), of("a", "2", 41), of("a", "3", 20)}, []string{"1", "3"}},
		{"less of the domain that has the most", []datum{of("a", "1", 30), of("b", "2", 40), of("c", "3", 20), of("c", "4", 20)}, []string{"1", "3", "4"}},
		{"nothing of nothing", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var kept []string
			for _, d := range fit(c.data, 100, 40) {
				kept = append(kept, d.key)
			}
			if diff := cmp.Diff(c.want, kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

// A gate answers those who wait with what it remembers, so one that remembers nothing has no answer.
func TestAGateThatRemembersNothingIsUnreadable(t *testing.T) {
	const gate = `{"kind":"Rate","domain":"ns/a","endpoint":"https://sts.example/token","client":"app","since":"2026-01-02T03:04:05Z","until":"2026-01-02T03:05:05Z","attempts":1`
	for name, value := range map[string]string{"without the member": gate + "}", "with null": gate + `,"remembered":null}`} {
		t.Run(name, func(t *testing.T) {
			entries, problems := decode[*oautherr.Error](&corev1.ConfigMap{Data: map[string]string{"rate-key": value}})
			if len(entries) > 0 || !cmp.Equal(problems, []Problem{{Key: "rate-key", Reason: Unreadable}}) {
				t.Errorf("gates %v, problems %v", entries, problems)
			}
		})
	}
}
