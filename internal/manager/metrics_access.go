// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// metricsReaders admits to the metrics whoever the API server knows by their bearer token (RFC 6750,
// section 2.1) and lets read that path. It asks anew each time, a scrape being rare: who loses the right
// loses it at once. controller-runtime's filter of the same kind links all of k8s.io/apiserver, with CEL,
// gRPC and every informer there is, which took a fifth of an idle operator's memory (ADR 0013).
func metricsReaders(config *rest.Config, connection *http.Client) (metricsserver.Filter, error) {
	tokens, err := authenticationclient.NewForConfigAndClient(config, connection)
	if err != nil {
		return nil, fmt.Errorf("making the client for token reviews: %w", err)
	}
	accesses, err := authorizationclient.NewForConfigAndClient(config, connection)
	if err != nil {
		return nil, fmt.Errorf("making the client for access reviews: %w", err)
	}
	d := &doorkeeper{tokens: tokens.TokenReviews(), accesses: accesses.SubjectAccessReviews()}
	return func(logger logr.Logger, metrics http.Handler) (http.Handler, error) {
		return d.guard(logger, metrics), nil
	}, nil
}

// reviewTimeout is how long the API server has to judge one request for metrics. Prometheus itself waits
// for 10 s.
const reviewTimeout = 5 * time.Second

// doorkeeper has the API server judge who asks.
type doorkeeper struct {
	tokens   authenticationclient.TokenReviewInterface
	accesses authorizationclient.SubjectAccessReviewInterface
}

// guard hands on to the metrics only what is admitted.
func (d *doorkeeper) guard(logger logr.Logger, metrics http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		status, err := d.judge(request)
		switch {
		case err != nil:
			logger.Error(err, "Asking the API server who may read the metrics")
			http.Error(w, "The API server can't be asked who may read this; try again later.", status)
		case status == http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "Send the bearer token of a service account that may get "+request.URL.Path+".", status)
		case status != http.StatusOK:
			http.Error(w, "This account may not get the non-resource URL "+request.URL.Path+"; bind it to a ClusterRole that allows it.", status)
		default:
			metrics.ServeHTTP(w, request)
		}
	})
}

// judge returns the status of the answer, and an error where there is no judgement.
func (d *doorkeeper) judge(request *http.Request) (int, error) {
	token := bearerToken(request)
	if token == "" {
		return http.StatusUnauthorized, nil
	}
	ctx, cancel := context.WithTimeout(request.Context(), reviewTimeout)
	defer cancel()
	who, err := d.tokens.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return http.StatusServiceUnavailable, fmt.Errorf("reviewing a token: %w", err)
	}
	if !who.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	may, err := d.accesses.Create(ctx, accessReview(who.Status.User, request), metav1.CreateOptions{})
	if err != nil {
		return http.StatusServiceUnavailable, fmt.Errorf("reviewing the access of %s: %w", who.Status.User.Username, err)
	}
	if !may.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}

// bearerToken is that of the Authorization header, whose scheme is in any case of letters (RFC 9110,
// section 11.1); else "".
func bearerToken(request *http.Request) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(request.Header.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// accessReview asks whether the user may do to the path what the request does.
func accessReview(user authenticationv1.UserInfo, request *http.Request) *authorizationv1.SubjectAccessReview {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for name, value := range user.Extra {
		extra[name] = authorizationv1.ExtraValue(value)
	}
	return &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: request.URL.Path, Verb: strings.ToLower(request.Method)},
	}}
}
