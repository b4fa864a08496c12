// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Entry is what the catalogue knows of one OAuth `error` or AADSTS number. The
// error reference is generated from it.
type Entry struct {
	// Code is the `error` value, or AADSTS and the number.
	Code string
	// Class is decisive for an `error` and a hint for an AADSTS number.
	Class Class
	// Reason is the condition reason; empty for AADSTS numbers, which have none.
	Reason Reason
	// Propagating says that the refusal may end by itself some minutes after an
	// administrator's change.
	Propagating bool
	// Meaning is a clause: what the token service says with it.
	Meaning string

	remedy string
}

// Remedy returns the entry's remedy for s, one sentence.
func (e Entry) Remedy(s Subject) string { return s.fill(e.remedy) }

// Catalogue returns every known `error`, and then every known AADSTS number in
// ascending order.
func Catalogue() []Entry {
	entries := slices.Clone(oauthErrors)
	for _, rows := range aadstsRows() {
		for _, row := range rows {
			entries = append(entries, row.entries()...)
		}
	}
	slices.SortStableFunc(entries[len(oauthErrors):], func(a, b Entry) int { return cmp.Compare(a.number(), b.number()) })
	return entries
}

// aadstsRow is what several AADSTS numbers of one meaning share.
type aadstsRow struct {
	numbers     []int64
	class       Class
	propagating bool
	meaning     string
	remedy      string
}

func aadstsRows() [][]aadstsRow {
	return [][]aadstsRow{aadstsClient, aadstsDirectory, aadstsUser, aadstsService}
}

func (r aadstsRow) entries() []Entry {
	var entries []Entry
	for _, n := range r.numbers {
		entries = append(entries, Entry{
			Code:        aadstsPrefix + strconv.FormatInt(n, 10),
			Class:       r.class,
			Propagating: r.propagating,
			Meaning:     r.meaning,
			remedy:      r.remedy,
		})
	}
	return entries
}

// number is 0 for an OAuth `error`.
func (e Entry) number() int64 {
	digits, _ := strings.CutPrefix(e.Code, aadstsPrefix)
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}

// lookupError finds an `error` value. They are compared exactly, as RFC 6749
// defines them.
func lookupError(code string) (Entry, bool) {
	i := slices.IndexFunc(oauthErrors, func(e Entry) bool { return e.Code == code })
	if i < 0 {
		return Entry{}, false
	}
	return oauthErrors[i], true
}

// lookupNumbers finds the row of the first known number: each exactly, and only
// when none is known exactly, each by its longest known prefix.
func lookupNumbers(numbers []int64) (aadstsRow, bool) {
	for _, n := range numbers {
		if row, known := lookupNumber(n); known {
			return row, true
		}
	}
	for _, n := range numbers {
		if row, known := lookupPrefix(n); known {
			return row, true
		}
	}
	return aadstsRow{}, false
}

func lookupNumber(n int64) (aadstsRow, bool) {
	for _, rows := range aadstsRows() {
		if i := slices.IndexFunc(rows, func(row aadstsRow) bool { return slices.Contains(row.numbers, n) }); i >= 0 {
			return rows[i], true
		}
	}
	return aadstsRow{}, false
}

// lookupPrefix drops final digits until a number is known: 700213 stands for
// 7002131 and 7002138, and 700222 for 70022204. It stops at six digits, and
// before the six-digit numbers that begin with 7000: those have seven-digit
// neighbours of another meaning, not variants, as 700021 is a wrong client
// assertion and 7000215 a wrong secret.
func lookupPrefix(n int64) (aadstsRow, bool) {
	const shortest, neighbours = 100_000, 7000
	for n /= 10; n >= shortest && n/100 != neighbours; n /= 10 {
		if row, known := lookupNumber(n); known {
			return row, true
		}
	}
	return aadstsRow{}, false
}
