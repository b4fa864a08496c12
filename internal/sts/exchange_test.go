// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tokenrequest.dev/operator/internal/oautherr"
	"tokenrequest.dev/operator/internal/sts"
)

// hangsUp is a listener that closes the first connections before TLS.
type hangsUp struct {
	net.Listener
	first    int32
	accepted atomic.Int32
}

func (l *hangsUp) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.accepted.Add(1) > l.first {
			return conn, err
		}
		_ = conn.Close()
	}
}

func hangingUp(first int32) (*hangsUp, func(*httptest.Server)) {
	l := &hangsUp{first: first}
	return l, func(s *httptest.Server) { l.Listener, s.Listener = s.Listener, l }
}

func TestTokenRetriesOnceWhatWasNeverSent(t *testing.T) {
	t.Run("a connection that closes before TLS is tried again, and the token comes", func(t *testing.T) {
		listener, configure := hangingUp(1)
		s := serve(t, answers(200, success), configure)
		if _, err := sts.New(options()).Token(t.Context(), s.request()); err != nil {
			t.Errorf("asking: %v", err)
		}
		if got := listener.accepted.Load(); got != 2 {
			t.Errorf("%d connections were made, want 2", got)
		}
		s.wantCalls(t, 1)
	})
	t.Run("a connection that always closes before TLS is tried twice, no more", func(t *testing.T) {
		listener, configure := hangingUp(100)
		s := serve(t, answers(200, success), configure)
		_, err := sts.New(options()).Token(t.Context(), s.request())
		wantConnectionFailed(t, err)
		if got := listener.accepted.Load(); got != 2 {
			t.Errorf("%d connections were made, want 2", got)
		}
		s.wantCalls(t, 0)
	})
	t.Run("a refused connection is tried twice", func(t *testing.T) {
		s := serve(t, answers(200, success))
		s.Close()
		ctx, connects := countConnects(t.Context())
		_, err := sts.New(options()).Token(ctx, s.request())
		wantConnectionFailed(t, err)
		if got := connects.Load(); got != 2 {
			t.Errorf("connected %d times, want 2", got)
		}
	})
	t.Run("a discovery is tried again in the same way", func(t *testing.T) {
		_, configure := hangingUp(1)
		var s *server
		s = serve(t, func(w http.ResponseWriter, r *http.Request) {
			answers(200, `{"issuer":"`+s.URL+`","token_endpoint":"https://sts.example.com/token"}`)(w, r)
		}, configure)
		if _, err := sts.New(options()).Discover(t.Context(), s.URL, s.trust()); err != nil {
			t.Errorf("discovering: %v", err)
		}
	})
}

func TestTokenNeverRepeatsWhatMayHaveArrived(t *testing.T) {
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_ = conn.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0) // so that Close resets
		_ = conn.(*tls.Conn).NetConn().Close()
	}
	abort := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	breakOff := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, success)
		panic(http.ErrAbortHandler)
	}
	http2 := func(s *httptest.Server) { s.EnableHTTP2 = true }
	tests := map[string]struct {
		handler   http.HandlerFunc
		configure func(*httptest.Server)
	}{
		"a connection reset after the request":        {hangUp, func(*httptest.Server) {}},
		"a connection closed after the request":       {abort, func(*httptest.Server) {}},
		"a stream reset after the request":            {abort, http2},
		"an answer that breaks off":                   {breakOff, func(*httptest.Server) {}},
		"an answer that breaks off, over HTTP/2":      {breakOff, http2},
		"an answer with a header of more than 64 KiB": {answers(200, success, "X-Pad", strings.Repeat("x", 65<<10)), func(*httptest.Server) {}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tc.handler, tc.configure)
			_, err := sts.New(options()).Token(t.Context(), s.request())
			wantConnectionFailed(t, err)
			s.wantCalls(t, 1)
			wantNoCanary(t, "the error", show(t, *err))
		})
	}
}

// refuseStreams answers each HTTP/2 request on conn with RST_STREAM and the code
// (RFC 9113 section 6.4), and counts them.
func refuseStreams(conn net.Conn, code byte, requests *atomic.Int32) {
	const headers, settings, reset = 0x1, 0x4, 0x3
	frame := func(kind byte, stream []byte, payload ...byte) []byte {
		return slices.Concat([]byte{0, 0, byte(len(payload)), kind, 0}, stream, payload)
	}
	defer func() { _ = conn.Close() }()
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	_, _ = conn.Write(frame(settings, make([]byte, 4)))
	for head := make([]byte, 9); ; {
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		size := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, conn, size); err != nil {
			return
		}
		if head[3] == headers {
			requests.Add(1)
			_, _ = conn.Write(frame(reset, head[5:9], 0, 0, 0, code))
		}
	}
}

// net/http by itself would send these again: a stream that was refused up to
// seven times with a growing pause, one that met a protocol error too.
func TestTokenNeverRepeatsARefusedStream(t *testing.T) {
	for name, code := range map[string]byte{"REFUSED_STREAM": 0x7, "PROTOCOL_ERROR": 0x1} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			s := serve(t, answers(200, success), func(s *httptest.Server) {
				s.EnableHTTP2 = true
				s.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
					"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) { refuseStreams(conn, code, &requests) },
				}
			})
			request := s.request()
			request.Timeout = time.Second
			_, err := sts.New(options()).Token(t.Context(), request)
			wantConnectionFailed(t, err)
			if got := requests.Load(); got != 1 {
				t.Errorf("the request was sent %d times, want once", got)
			}
		})
	}
}

func TestTokenWantsTLS12(t *testing.T) {
	s := serve(t, answers(200, success), func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	})
	_, err := sts.New(options()).Token(t.Context(), s.request())
	wantConnectionFailed(t, err)
	s.wantCalls(t, 0)
}

func TestTokenWantsATrustedCertificate(t *testing.T) {
	s := serve(t, answers(200, success))
	request := s.request()
	request.Transport = sts.Transport{}
	_, err := sts.New(options()).Token(t.Context(), request)
	wantConnectionFailed(t, err)
	s.wantCalls(t, 0)
}

// hangs returns a handler that begins to answer with the text and then hangs
// until the caller has gone; it says when it does.
func hangs(text string) (http.HandlerFunc, chan struct{}) {
	hanging := make(chan struct{}, 1)
	return func(w http.ResponseWriter, r *http.Request) {
		if text != "" {
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
		}
		hanging <- struct{}{}
		<-r.Context().Done()
	}, hanging
}

func TestTokenEndsAtItsDeadline(t *testing.T) {
	for name, begun := range map[string]string{
		"a server that says nothing":        "",
		"a server that stops in its answer": success[:20],
	} {
		t.Run(name, func(t *testing.T) {
			handler, _ := hangs(begun)
			s := serve(t, handler)
			request := s.request()
			request.Timeout = 100 * time.Millisecond
			_, err := sts.New(options()).Token(t.Context(), request)
			wantConnectionFailed(t, err)
			if err.Detail != "it did not answer in time" {
				t.Errorf("the detail is %q, want that it did not answer in time", err.Detail)
			}
		})
	}
}

func TestTokenEndsAtTheCallersDeadline(t *testing.T) {
	handler, _ := hangs("")
	s := serve(t, handler)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := sts.New(options()).Token(ctx, s.request())
	wantConnectionFailed(t, err)
}

func TestTokenReportsCancellation(t *testing.T) {
	wantCanceled := func(t *testing.T, err *oautherr.Error) {
		t.Helper()
		if err == nil || !err.Canceled() {
			t.Errorf("got %v, want an error that says Canceled", err)
		}
	}
	for name, begun := range map[string]string{
		"while the server says nothing":     "",
		"while the server is in its answer": success[:20],
	} {
		t.Run(name, func(t *testing.T) {
			handler, hanging := hangs(begun)
			s := serve(t, handler)
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				<-hanging
				cancel(io.ErrUnexpectedEOF)
			}()
			_, err := sts.New(options()).Token(ctx, s.request())
			wantCanceled(t, err)
			s.wantCalls(t, 1)
		})
	}
	t.Run("before the call", func(t *testing.T) {
		s := serve(t, answers(200, success))
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(io.ErrUnexpectedEOF)
		_, err := sts.New(options()).Token(ctx, s.request())
		wantCanceled(t, err)
		s.wantCalls(t, 0)
	})
	t.Run("between the two tries", func(t *testing.T) {
		listener, configure := hangingUp(100)
		s := serve(t, answers(200, success), configure)
		ctx, cancel := context.WithCancel(t.Context())
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{TLSHandshakeDone: func(tls.ConnectionState, error) { cancel() }})
		_, err := sts.New(options()).Token(ctx, s.request())
		wantCanceled(t, err)
		if got := listener.accepted.Load(); got != 1 {
			t.Errorf("%d connections were made, want 1", got)
		}
	})
}

func countConnects(ctx context.Context) (context.Context, *atomic.Int32) {
	var connects atomic.Int32
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectStart: func(string, string) { connects.Add(1) },
	}), &connects
}

func wantConnectionFailed(t *testing.T, err *oautherr.Error) {
	t.Helper()
	if err == nil || err.Reason != oautherr.ReasonConnectionFailed || err.Canceled() {
		t.Fatalf("got %v, want a connection that failed", err)
	}
	if err.CorrelationID != correlationID {
		t.Errorf("the correlation id is %q, want the one that was sent", err.CorrelationID)
	}
}
