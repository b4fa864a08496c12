// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package reading_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tokenrequest.dev/operator/test/e2e/reading"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func tokenUntil(expiry time.Time) string {
	claims := fmt.Sprintf(`{"iat":%d,"exp":%d}`, expiry.Add(-time.Minute).Unix(), expiry.Unix())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestReadCountsWhatIsWrong(t *testing.T) {
	valid, second := tokenUntil(noon.Add(time.Minute)), time.Second
	for name, test := range map[string]struct {
		token, expiry string
		err           error
		want          reading.Report
	}{
		"a valid token":               {valid, "2026-11-22T12:01:00Z", nil, reading.Report{LeastLeft: time.Minute}},
		"one second is left":          {tokenUntil(noon.Add(second)), "", nil, reading.Report{LeastLeft: second}},
		"it expires now":              {tokenUntil(noon), "", nil, reading.Report{Expired: 1}},
		"an empty file":               {"", "", nil, reading.Report{Gaps: 1}},
		"no file":                     {"", "", os.ErrNotExist, reading.Report{Gaps: 1}},
		"an unreadable file":          {"", "", errors.New("i/o error"), reading.Report{Gaps: 1}},
		"half of the claims":          {valid[:10], "", nil, reading.Report{Partial: 1}},
		"claims that are cut":         {valid[:10] + ".c2ln", "", nil, reading.Report{Partial: 1}},
		"no signature":                {valid[:len(valid)-4], "", nil, reading.Report{Partial: 1}},
		"the expiry of another token": {valid, "2026-11-22T12:00:59Z", nil, reading.Report{Partial: 1, LeastLeft: time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			var book reading.Book
			book.Read(func() (string, string, error) { return test.token, test.expiry, test.err }, func() time.Time { return noon })
			test.want.Reads = 1
			got := book.Report()
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(reading.Report{}, "Fault", "Tokens")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if faulty := got.Gaps+got.Expired+got.Partial > 0; faulty != (got.Fault != "") {
				t.Errorf("fault %q", got.Fault)
			}
		})
	}
}

func TestReadTriesAnewBehindASwap(t *testing.T) {
	var book reading.Book
	reads := 0
	book.Read(func() (string, string, error) {
		if reads++; reads == 1 {
			return "", "", os.ErrNotExist
		}
		return tokenUntil(noon.Add(time.Minute)), "", nil
	}, func() time.Time { return noon })
	if report := book.Report(); report.Gaps != 0 || report.Reads != 1 || len(report.Tokens) != 1 {
		t.Errorf("report %+v", report)
	}
}

func TestReportNamesEachTokenOnce(t *testing.T) {
	dir := t.TempDir()
	var book reading.Book
	first, second := tokenUntil(noon.Add(time.Minute)), tokenUntil(noon.Add(2*time.Minute))
	for i, token := range []string{first, first, second} {
		if err := os.WriteFile(filepath.Join(dir, "access_token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		book.Read(reading.Volume(dir), func() time.Time { return noon.Add(time.Duration(i) * time.Second) })
	}
	want := []reading.Token{
		{Hash: reading.Hash(first), FirstRead: noon, IssuedAt: noon, ExpiresAt: noon.Add(time.Minute)},
		{Hash: reading.Hash(second), FirstRead: noon.Add(2 * time.Second), IssuedAt: noon.Add(time.Minute), ExpiresAt: noon.Add(2 * time.Minute)},
	}
	if diff := cmp.Diff(want, book.Report().Tokens, cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
