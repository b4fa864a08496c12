// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Sensitive is a secret, or a token, that doesn't show itself: whatever prints,
// formats, logs or marshals it gets "[redacted]", also when it is empty. The
// zero value is the empty secret.
//
// Two places don't hide it: an unexported field, whose methods fmt can't call,
// and the key of a map, which encoding/json takes for a plain string.
type Sensitive string

// Reveal returns the secret itself.
func (s Sensitive) Reveal() string { return string(s) }

// String returns "[redacted]".
func (Sensitive) String() string { return redacted }

// GoString returns "[redacted]".
func (Sensitive) GoString() string { return redacted }

// Format writes "[redacted]" for every verb: without it %x and %q would show
// the bytes.
func (Sensitive) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]".
func (Sensitive) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (Sensitive) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue returns "[redacted]".
func (Sensitive) LogValue() slog.Value { return slog.StringValue(redacted) }
