// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tokenrequest.dev/operator/internal/oautherr"
)

func entries(t *testing.T) map[string]oautherr.Entry {
	t.Helper()
	byCode := map[string]oautherr.Entry{}
	for _, entry := range oautherr.Catalogue() {
		if _, twice := byCode[entry.Code]; twice {
			t.Errorf("%s stands twice in the catalogue", entry.Code)
		}
		byCode[entry.Code] = entry
	}
	return byCode
}

func TestTheCatalogueIsCompleteAndOrdered(t *testing.T) {
	var order []int64 // 0 for an `error`
	for _, entry := range oautherr.Catalogue() {
		digits, isNumber := strings.CutPrefix(entry.Code, "AADSTS")
		n, _ := strconv.ParseInt(digits, 10, 64)
		if isNumber == (n == 0) || isNumber == (entry.Reason != "") {
			t.Errorf("%s is a number with a reason, or an error without one", entry.Code)
		}
		order = append(order, n)
	}
	if !slices.IsSorted(order) || len(order) < 180 {
		t.Errorf("the catalogue holds %d entries out of order or too few: %v", len(order), order)
	}
	for code, entry := range entries(t) {
		if entry.Class == "" || entry.Meaning == "" || strings.HasSuffix(entry.Meaning, ".") {
			t.Errorf("%s has no class, or no clause for a meaning", code)
		}
	}
}

// TestWhichEntryExplainsANumber goes by the remedies, which is what users see.
func TestWhichEntryExplainsANumber(t *testing.T) {
	byCode := entries(t)
	tests := map[string]struct {
		codes string
		want  string // a code of the catalogue
	}{
		"an exact number":                                          {"7000215", "AADSTS7000215"},
		"a longer variant":                                         {"7002139", "AADSTS700213"},
		"a variant that is two digits longer":                      {"70022204", "AADSTS700222"},
		"a variant that has an entry of its own":                   {"7002138", "AADSTS7002138"},
		"the longest of two prefixes":                              {"70021312", "AADSTS7002131"},
		"an exact number behind an unknown one":                    {"1,50076", "AADSTS50076"},
		"an exact number behind a variant":                         {"7002119,50076", "AADSTS50076"},
		"70021 is not the beginning of 7000215's neighbours":       {"7000219", "invalid_client"},
		"five digits are no prefix":                                {"700217", "invalid_client"},
		"700022 is not the beginning of 7000222's neighbours":      {"7000228", "invalid_client"},
		"seven digits that begin with 7000 do have longer numbers": {"70002159", "AADSTS7000215"},
		"an unknown number":                                        {"1234567", "invalid_client"},
		"no number":                                                {"", "invalid_client"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := oautherr.FromResponse(answer(401, fmt.Sprintf(`"error":"invalid_client","error_codes":[%s]`, test.codes)), arrival)
			if got, want := e.Remedy(subject), byCode[test.want].Remedy(subject); got != want {
				t.Errorf("Remedy:\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestNumbersDoNotDecideTheClass(t *testing.T) {
	for code := range entries(t) {
		digits, isNumber := strings.CutPrefix(code, "AADSTS")
		if !isNumber || digits == "50196" || digits == "90055" {
			continue
		}
		e := oautherr.FromResponse(answer(401, `"error":"invalid_client","error_codes":[`+digits+`]`), arrival)
		if e.Class != oautherr.Credential || e.Reason != oautherr.ReasonInvalidClient {
			t.Errorf("%s changes invalid_client to %s, %s", code, e.Class, e.Reason)
		}
	}
}
