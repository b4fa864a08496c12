// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package configmap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"tokenrequest.dev/operator/internal/throttle"
)

// mostBytes bounds keys and values together. An object may have 1 MiB, of which managed fields take their part.
const mostBytes = 512 << 10

// mostDomainBytes bounds those of one tenancy domain. The whole is written for each gate that shuts: what a tenant may have
// in it bounds how much of that it can cause. It is room for some two hundred gates. One that isn't stored still holds in memory,
// and those who wait behind it know from their status when to ask.
const mostDomainBytes = 128 << 10

// Reason says why stored data can't be used.
type Reason string

const (
	// Unreadable: the value isn't the JSON of a gate.
	Unreadable Reason = "Unreadable"
	// Misnamed: the value is a gate, but of another name than its key's, so one of the two was changed.
	Misnamed Reason = "Misnamed"
)

// Problem is one data key that can't be used. It never tells what the value is.
type Problem struct {
	// Key is the data key.
	Key string
	// Reason is why.
	Reason Reason
}

// datum is one data key with its value and what decides whether it stays when there is too much.
type datum struct {
	key, value, domain string
}

func (d datum) size() int { return len(d.key) + len(d.value) }

// encode returns the ConfigMap's data: one JSON text per gate, within mostBytes, and mostDomainBytes of each domain.
func encode[E any](entries []throttle.Entry[E]) (map[string]string, error) {
	soonest := slices.SortedStableFunc(slices.Values(entries), func(a, b throttle.Entry[E]) int { return a.Until.Compare(b.Until) })
	data := make([]datum, 0, len(soonest))
	for _, e := range soonest {
		value, err := text(e)
		if err != nil {
			return nil, fmt.Errorf("encoding gate %s: %w", e.Key(), err)
		}
		data = append(data, datum{key: e.Key(), value: value, domain: e.Domain})
	}
	stored := map[string]string{}
	for _, d := range fit(data, mostBytes, mostDomainBytes) {
		stored[d.key] = d.value
	}
	return stored, nil
}

// text returns the JSON of v as people read it: on lines of its own, which kubectl shows as a block and not folded at its
// spaces, and with &, < and > as they are, because scopes are URLs.
func text(v any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return "", err
	}
	return text.String(), nil
}

// size counts what the API server does: keys and values.
func size(data map[string]string) (bytes int) {
	for key, value := range data {
		bytes += len(key) + len(value)
	}
	return bytes
}

// fit drops data until the rest has no more than most bytes, and no domain more than mostOfOne: always of the domain that has
// the most, so that long scopes of one tenant don't push out another's gates, and there what comes first. What is too much by
// itself goes before all others, which would make no room for it.
func fit(data []datum, most, mostOfOne int) []datum {
	data = slices.DeleteFunc(data, func(d datum) bool { return d.size() > mostOfOne })
	total, shares := 0, map[string]int{}
	for _, d := range data {
		total += d.size()
		shares[d.domain] += d.size()
	}
	for len(data) > 0 {
		heaviest := slices.MaxFunc(slices.Sorted(maps.Keys(shares)), func(a, b string) int { return shares[a] - shares[b] })
		if total <= most && shares[heaviest] <= mostOfOne {
			break
		}
		i := slices.IndexFunc(data, func(d datum) bool { return d.domain == heaviest })
		total -= data[i].size()
		shares[heaviest] -= data[i].size()
		data = slices.Delete(data, i, i+1)
	}
	return data
}

// decode returns the gates that the ConfigMap holds, and what in it can't be used.
func decode[E any](object *corev1.ConfigMap) ([]throttle.Entry[E], []Problem) {
	var entries []throttle.Entry[E]
	var problems []Problem
	for _, key := range slices.Sorted(maps.Keys(object.Data)) {
		e, ok := readEntry[E](object.Data[key])
		switch {
		case !ok:
			problems = append(problems, Problem{Key: key, Reason: Unreadable})
		case e.Key() != key:
			problems = append(problems, Problem{Key: key, Reason: Misnamed})
		default:
			entries = append(entries, e)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(object.BinaryData)) {
		problems = append(problems, Problem{Key: key, Reason: Unreadable})
	}
	return entries, problems
}

// readEntry returns the gate that a value is. An error of JSON may quote the value, so it goes no further. A gate that
// remembers nothing is none: whoever waits behind it gets what it remembers for an answer.
func readEntry[E any](value string) (e throttle.Entry[E], ok bool) {
	var members struct {
		Remembered json.RawMessage `json:"remembered"`
	}
	if json.Unmarshal([]byte(value), &members) != nil || len(members.Remembered) == 0 || string(members.Remembered) == "null" {
		return e, false
	}
	return e, json.Unmarshal([]byte(value), &e) == nil
}
