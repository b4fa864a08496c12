// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr_test

import (
	"net/http"
	"testing"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
)

func TestParseRetryAfter(t *testing.T) {
	const date = "Fri, 02 Jan 2026 03:04:05 GMT" // arrival
	tests := map[string]struct {
		values []string
		date   string
		now    time.Time
		want   time.Duration
	}{
		"no field is absent":                                 {nil, "", arrival, 0},
		"seconds":                                            {[]string{"7"}, "", arrival, 7 * time.Second},
		"seconds between blanks":                             {[]string{" 12\t"}, "", arrival, 12 * time.Second},
		"seconds with leading zeros":                         {[]string{"0012"}, "", arrival, 12 * time.Second},
		"an hour":                                            {[]string{"3600"}, "", arrival, time.Hour},
		"more than an hour is an hour":                       {[]string{"99999"}, "", arrival, time.Hour},
		"more digits than fit are an hour":                   {[]string{"99999999999999999999"}, "", arrival, time.Hour},
		"zero is absent":                                     {[]string{"0"}, "", arrival, 0},
		"a negative number is absent":                        {[]string{"-3"}, "", arrival, 0},
		"a signed number is absent":                          {[]string{"+3"}, "", arrival, 0},
		"a fraction is absent":                               {[]string{"1.5"}, "", arrival, 0},
		"garbage is absent":                                  {[]string{"soon"}, "", arrival, 0},
		"nothing is absent":                                  {[]string{""}, "", arrival, 0},
		"digits of another script are absent":                {[]string{"٧"}, "", arrival, 0},
		"a date counts from the answer's own":                {[]string{"Fri, 02 Jan 2026 03:04:35 GMT"}, date, arrival.Add(-time.Minute), 30 * time.Second},
		"a date counts from now without one":                 {[]string{"Fri, 02 Jan 2026 03:04:35 GMT"}, "", arrival, 30 * time.Second},
		"a date counts from now when Date is garbage":        {[]string{"Fri, 02 Jan 2026 03:04:35 GMT"}, "today", arrival, 30 * time.Second},
		"a date is rounded up":                               {[]string{"Fri, 02 Jan 2026 03:04:35 GMT"}, "", arrival.Add(time.Millisecond), 30 * time.Second},
		"a date in RFC 850 form":                             {[]string{"Friday, 02-Jan-26 03:04:35 GMT"}, date, arrival, 30 * time.Second},
		"a date in asctime form":                             {[]string{"Fri Jan  2 03:04:35 2026"}, date, arrival, 30 * time.Second},
		"a date that is past is absent":                      {[]string{"Fri, 02 Jan 2026 03:04:00 GMT"}, date, arrival, 0},
		"a date that is now is absent":                       {[]string{date}, date, arrival, 0},
		"a date past by less than a second is absent":        {[]string{date}, "", arrival.Add(time.Millisecond), 0},
		"a date in another millennium is an hour":            {[]string{"Fri, 31 Dec 9999 23:59:59 GMT"}, "Mon, 01 Jan 0001 00:00:00 GMT", arrival, time.Hour},
		"a date in the last millennium is absent":            {[]string{"Mon, 01 Jan 0001 00:00:00 GMT"}, "Fri, 31 Dec 9999 23:59:59 GMT", arrival, 0},
		"the longest of several counts":                      {[]string{"5", "9", "x"}, "", arrival, 9 * time.Second},
		"a list, which the field has no form for, is absent": {[]string{"5, 9"}, "", arrival, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			for _, value := range test.values {
				header.Add("Retry-After", value)
			}
			if test.date != "" {
				header.Set("Date", test.date)
			}
			got, ok := oautherr.ParseRetryAfter(header, test.now)
			if got != test.want || ok != (test.want > 0) {
				t.Errorf("ParseRetryAfter = %v, %v; want %v, %v", got, ok, test.want, test.want > 0)
			}
		})
	}
}
