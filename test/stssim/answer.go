// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
)

// refusal is an error response before it takes the shape of a service.
type refusal struct {
	status   int
	code     string // the OAuth error
	prefix   string // "AADSTSn: ", which Entra alone writes
	message  string // without trailers
	aadsts   []int
	suberror string
	claims   string
}

func refuse(status int, code string, aadsts int, message string) *refusal {
	return &refusal{
		status:  status,
		code:    code,
		prefix:  fmt.Sprintf("AADSTS%d: ", aadsts),
		message: message,
		aadsts:  []int{aadsts},
	}
}

// refuseClient is a refusal of the client's credential: 401 invalid_client.
func refuseClient(aadsts int, message string) *refusal {
	return refuse(http.StatusUnauthorized, "invalid_client", aadsts, message)
}

// refuseGrant is a refusal of what is traded for a token: 400 invalid_grant.
func refuseGrant(aadsts int, message string) *refusal {
	return refuse(http.StatusBadRequest, "invalid_grant", aadsts, message)
}

// answer is a response and what is done to it on its way.
type answer struct {
	status int
	header http.Header
	body   []byte
	oauth  string // the OAuth error, for the log

	padding  int
	truncate bool
	reset    bool
}

// jsonAnswer marshals values that are made of texts and numbers only.
func jsonAnswer(status int, contentType string, value any) answer {
	body, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("stssim: marshalling an answer: %v", err))
	}
	header := http.Header{}
	header.Set("Content-Type", contentType)
	// RFC 6749, section 5.1, demands both of every token response.
	header.Set("Cache-Control", "no-store")
	header.Set("Pragma", "no-cache")
	return answer{status: status, header: header, body: body}
}

func textAnswer(status int, text string) answer {
	header := http.Header{}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	return answer{status: status, header: header, body: []byte(text)}
}

// compress encodes the body whatever the request accepts.
func (a *answer) compress() {
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	// A bytes.Buffer takes everything.
	_, _ = writer.Write(a.body)
	_ = writer.Close()
	a.body = buffer.Bytes()
	a.header.Set("Content-Encoding", "gzip")
}

// send writes the answer. Whatever fails here fails because the caller is gone.
func (a answer) send(w http.ResponseWriter) {
	if a.reset {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			reset(conn)
		}
		return
	}
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(a.padding+len(a.body)))
	w.WriteHeader(a.status)
	// The padding comes first: a reader that stops early must not find a token.
	spaces := bytes.Repeat([]byte(" "), min(a.padding, 64<<10))
	for left := a.padding; left > 0; left -= len(spaces) {
		if _, err := w.Write(spaces[:min(left, len(spaces))]); err != nil {
			return
		}
	}
	body := a.body
	if a.truncate {
		// net/http closes a connection that got less than was announced.
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body)
}
