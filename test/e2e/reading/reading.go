// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package reading is what a pod that uses a token does: it reads it again and again, and here it also
// keeps book of what it read. No token leaves it, only hashes.
package reading

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Keys of the Secret, which are the names of the files.
const (
	tokenKey  = "access_token"
	expiryKey = "expires_at"
)

// Report is what the reads have shown so far.
type Report struct {
	// Reads is how many there were.
	Reads int `json:"reads"`
	// Tokens are those that were read, each new one once.
	Tokens []Token `json:"tokens"`
	// Gaps counts the reads that found no token.
	Gaps int `json:"gaps"`
	// Expired counts the reads that found one whose time was over.
	Expired int `json:"expired"`
	// Partial counts the reads that found something that is no whole token, or that lay beside the
	// expiry of another one.
	Partial int `json:"partial"`
	// LeastLeft is the shortest time that a token still had when it was read.
	LeastLeft time.Duration `json:"leastLeft"`
	// Fault is what was first wrong.
	Fault string `json:"fault,omitempty"`
}

// Token is one that was read.
type Token struct {
	Hash      string    `json:"hash"`
	FirstRead time.Time `json:"firstRead"`
	IssuedAt  time.Time `json:"issuedAt"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Source reads a token, and the expiry that was written with it, empty where there is none to read.
type Source func() (token, expiry string, err error)

// Volume reads the files of a mounted Secret.
func Volume(dir string) Source {
	return func() (token, expiry string, err error) {
		for {
			before, err := os.ReadFile(filepath.Join(dir, tokenKey))
			if err != nil {
				return "", "", err
			}
			written, err := os.ReadFile(filepath.Join(dir, expiryKey))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", "", err
			}
			after, err := os.ReadFile(filepath.Join(dir, tokenKey))
			if err != nil {
				return "", "", err
			}
			if string(before) == string(after) { // else kubelet swapped the files meanwhile
				return string(before), string(written), nil
			}
		}
	}
}

// Variable reads an environment variable.
func Variable(name string) Source {
	return func() (token, expiry string, err error) { return os.Getenv(name), "", nil }
}

// Hash is by which a token is known outside of the pod.
func Hash(token string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(token))) }

// Book keeps the report. Its methods may be called at the same time.
type Book struct {
	mu     sync.Mutex
	report Report
}

// Report is what the reads have shown until now.
func (b *Book) Report() Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	report := b.report
	report.Tokens = append([]Token(nil), report.Tokens...)
	return report
}

// Read reads once. kubelet removes a volume's old files as soon as the new ones are in place, so a
// read that was already on its way to them is made anew, once.
func (b *Book) Read(source Source, now func() time.Time) {
	text, expiry, err := source()
	if errors.Is(err, os.ErrNotExist) {
		text, expiry, err = source()
	}
	at := now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.Reads++
	if err != nil || text == "" {
		b.report.Gaps++
		b.fault(at, "no token: %v", err)
		return
	}
	token, err := parse(text)
	if err != nil {
		b.report.Partial++
		b.fault(at, "a partial token: %v", err)
		return
	}
	if expiry != "" && expiry != token.ExpiresAt.UTC().Format(time.RFC3339) {
		b.report.Partial++
		b.fault(at, "a token that expires at %s beside the expiry %s", token.ExpiresAt, expiry)
	}
	b.note(token, at)
}

// note keeps a whole token.
func (b *Book) note(token Token, at time.Time) {
	left := token.ExpiresAt.Sub(at)
	if left <= 0 {
		b.report.Expired++
		b.fault(at, "a token that expired at %s", token.ExpiresAt)
	}
	if len(b.report.Tokens) == 0 || left < b.report.LeastLeft {
		b.report.LeastLeft = left
	}
	if n := len(b.report.Tokens); n == 0 || b.report.Tokens[n-1].Hash != token.Hash {
		token.FirstRead = at
		b.report.Tokens = append(b.report.Tokens, token)
	}
}

// fault keeps what was wrong first.
func (b *Book) fault(at time.Time, format string, args ...any) {
	if b.report.Fault == "" {
		b.report.Fault = at.UTC().Format(time.RFC3339) + " " + fmt.Sprintf(format, args...)
	}
}

// parse reads the times of a JWT. The errors don't show it.
func parse(text string) (Token, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[2] == "" {
		return Token{}, fmt.Errorf("it has %d bytes, and isn't a header, claims and a signature", len(text))
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Token{}, errors.New("its claims aren't base64url")
	}
	var times struct {
		IssuedAt int64 `json:"iat"`
		Expiry   int64 `json:"exp"`
	}
	if err := json.Unmarshal(claims, &times); err != nil {
		return Token{}, errors.New("its claims aren't JSON")
	}
	return Token{Hash: Hash(text), IssuedAt: time.Unix(times.IssuedAt, 0), ExpiresAt: time.Unix(times.Expiry, 0)}, nil
}
