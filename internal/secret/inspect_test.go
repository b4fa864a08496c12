// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
	"tokenrequest.dev/operator/internal/secret"
	"tokenrequest.dev/operator/internal/sts"
)

func annotate(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { s.Annotations[key] = value }
}

func unannotate(key string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { delete(s.Annotations, key) }
}

func label(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { s.Labels[key] = value }
}

func unlabel(key string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { delete(s.Labels, key) }
}

func put(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { s.Data[key] = []byte(value) }
}

func take(key string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { delete(s.Data, key) }
}

func inTurn(changes ...func(*corev1.Secret)) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		for _, change := range changes {
			change(s)
		}
	}
}

// What others do to a Secret of ours, and what we see.
func TestInspect(t *testing.T) {
	const dead = "2029-01-02T03:04:05Z"
	tests := map[string]struct {
		token  *sts.Token
		change func(*corev1.Secret)
		intact bool
		// dressed counts only where intact.
		dressed bool
	}{
		"the Secret as it was written is intact":                                    {newToken(), inTurn(), true, true},
		"a token without lifetime and scope is intact":                              {bareToken(), inTurn(), true, true},
		"an edited token is drift":                                                  {newToken(), put("access_token", "edited"), false, false},
		"an emptied token is drift":                                                 {newToken(), put("access_token", ""), false, false},
		"a missing token is drift":                                                  {newToken(), take("access_token"), false, false},
		"a Secret without data is drift":                                            {newToken(), func(s *corev1.Secret) { s.Data = nil }, false, false},
		"an edited token_type is drift":                                             {newToken(), put("token_type", "mac"), false, false},
		"a missing token_type is drift":                                             {newToken(), take("token_type"), false, false},
		"an edited expires_at is drift":                                             {newToken(), put("expires_at", dead), false, false},
		"a missing expires_at is drift":                                             {newToken(), take("expires_at"), false, false},
		"an edited scope is drift":                                                  {newToken(), put("scope", "invoices.write"), false, false},
		"a missing scope is drift":                                                  {newToken(), take("scope"), false, false},
		"values that changed places are drift":                                      {newToken(), inTurn(put("scope", "Bearer"), put("token_type", "invoices.read")), false, false},
		"keys of others don't matter":                                               {newToken(), inTurn(put("password", "theirs"), put("zzz", "theirs")), true, true},
		"a key scope of others doesn't matter where the STS named no scope":         {bareToken(), put("scope", "theirs"), true, true},
		"a key expires_at of others doesn't matter where the STS named no lifetime": {bareToken(), put("expires_at", "theirs"), true, true},
		"an annotation scope of others doesn't matter where the STS named no scope": {bareToken(), annotate(stsv1alpha1.AnnotationScope, "theirs"), true, true},
		"an expires-at of others in the past kills no token of unknown lifetime":    {bareToken(), annotate(stsv1alpha1.AnnotationExpiresAt, dead), true, true},
		"an expires-at of others that is no instant kills no token either":          {bareToken(), annotate(stsv1alpha1.AnnotationExpiresAt, "never"), true, true},
		"an expires-at of others in the future is never believed":                   {bareToken(), annotate(stsv1alpha1.AnnotationExpiresAt, "2030-01-02T04:04:05Z"), true, true},
		"another expires-at is an edited record":                                    {newToken(), annotate(stsv1alpha1.AnnotationExpiresAt, "2031-01-02T04:04:05Z"), false, false},
		"another refresh-at is an edited record":                                    {newToken(), annotate(stsv1alpha1.AnnotationRefreshAt, "2031-01-02T04:04:05Z"), false, false},
		"another issued-at is an edited record":                                     {newToken(), annotate(stsv1alpha1.AnnotationIssuedAt, "2030-01-02T03:04:04Z"), false, false},
		"another scope is an edited record":                                         {newToken(), annotate(stsv1alpha1.AnnotationScope, "invoices.write"), false, false},
		"a missing list of keys is an edited record":                                {newToken(), unannotate(stsv1alpha1.AnnotationKeys), false, false},
		"a list of other keys is an edited record":                                  {newToken(), annotate(stsv1alpha1.AnnotationKeys, "access_token"), false, false},
		"a list of no keys is an edited record":                                     {newToken(), annotate(stsv1alpha1.AnnotationKeys, ""), false, false},
		"a missing name of the token's key hides no token":                          {newToken(), unannotate(stsv1alpha1.AnnotationTokenKey), true, true},
		"a missing expires-at is an edited record":                                  {newToken(), unannotate(stsv1alpha1.AnnotationExpiresAt), false, false},
		"an expires-at that is no instant is an edited record":                      {newToken(), annotate(stsv1alpha1.AnnotationExpiresAt, "never"), false, false},
		"an expires-at before issued-at is an edited record":                        {newToken(), annotate(stsv1alpha1.AnnotationExpiresAt, dead), false, false},
		"a missing issued-at is an edited record":                                   {newToken(), unannotate(stsv1alpha1.AnnotationIssuedAt), false, false},
		"an issued-at that is no instant is an edited record":                       {newToken(), annotate(stsv1alpha1.AnnotationIssuedAt, "1893553445"), false, false},
		"a missing refresh-at is an edited record":                                  {newToken(), unannotate(stsv1alpha1.AnnotationRefreshAt), false, false},
		"a refresh-at that is no instant is an edited record":                       {newToken(), annotate(stsv1alpha1.AnnotationRefreshAt, "tomorrow"), false, false},
		"missing inputs are an edited record":                                       {newToken(), unannotate(stsv1alpha1.AnnotationInputs), false, false},
		"a missing scope annotation is an edited record":                            {newToken(), unannotate(stsv1alpha1.AnnotationScope), false, false},
		"a missing content hash is an edited record":                                {newToken(), unannotate(stsv1alpha1.AnnotationContent), false, false},
		"another content hash is an edited record":                                  {newToken(), annotate(stsv1alpha1.AnnotationContent, "v1:00"), false, false},
		"no annotations at all are no record":                                       {newToken(), func(s *corev1.Secret) { s.Annotations = nil }, false, false},
		"a content hash of a version to come counts as equal":                       {newToken(), inTurn(annotate(stsv1alpha1.AnnotationContent, "v2:00"), put("token_type", "of its own")), true, true},
		"a content hash of a version to come doesn't stand in for a token":          {newToken(), inTurn(annotate(stsv1alpha1.AnnotationContent, "v2:00"), take("access_token")), false, false},
		"inputs of a version to come are kept":                                      {newToken(), annotate(stsv1alpha1.AnnotationInputs, "v2:00"), true, true},
		"labels and annotations of others don't matter":                             {newToken(), inTurn(label("theirs", "1"), annotate("theirs", "1")), true, true},
		"a second owner doesn't matter": {newToken(), func(s *corev1.Secret) {
			s.OwnerReferences = append(s.OwnerReferences, metav1.OwnerReference{UID: "uid-of-app"})
		}, true, true},
		"the label that our cache selects on was taken away":                    {newToken(), unlabel(stsv1alpha1.LabelManaged), true, false},
		"the label that our cache selects on was edited":                        {newToken(), label(stsv1alpha1.LabelManaged, "false"), true, false},
		"the label managed-by was taken away":                                   {newToken(), unlabel(stsv1alpha1.LabelManagedBy), true, false},
		"the label managed-by was edited":                                       {newToken(), label(stsv1alpha1.LabelManagedBy, "Helm"), true, false},
		"all labels were taken away":                                            {newToken(), func(s *corev1.Secret) { s.Labels = nil }, true, false},
		"a label of the spec was taken away":                                    {newToken(), unlabel("team"), true, false},
		"a label of the spec was edited":                                        {newToken(), label("team", "orders"), true, false},
		"an annotation of the spec was taken away":                              {newToken(), unannotate("example.com/reloads"), true, false},
		"an annotation of the spec was edited":                                  {newToken(), annotate("example.com/reloads", "no"), true, false},
		"the hash of labels and annotations was taken away":                     {newToken(), unannotate(stsv1alpha1.AnnotationMetadata), true, false},
		"the hash of labels and annotations was edited":                         {newToken(), annotate(stsv1alpha1.AnnotationMetadata, "v1:00"), true, false},
		"a hash of labels and annotations of a version to come counts as equal": {newToken(), annotate(stsv1alpha1.AnnotationMetadata, "v2:00"), true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRequest(dressed)
			s := written(t, r, test.token)
			test.change(s)
			want := secret.Content{Intact: test.intact, Shaped: test.intact, Dressed: test.dressed}
			if test.intact {
				want.Record = recordOf(r, test.token)
				want.Record.Inputs = s.Annotations[stsv1alpha1.AnnotationInputs] // the Secret is believed
			}
			if diff := cmp.Diff(want, secret.Hold(r, s).Inspect(r)); diff != "" {
				t.Fatalf("Inspect (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, secret.Hold(r, secret.Strip(s)).Inspect(r)); diff != "" {
				t.Fatalf("Inspect of the stripped Secret (-want +got):\n%s", diff)
			}
			// Whatever others did, one write settles it, or each look would cost another one. What
			// the hash of a version to come hides is settled already.
			if test.intact && test.dressed {
				return
			}
			apply(t, s, render(r, secret.Hold(r, s), test.token))
			settled := secret.Content{Record: recordOf(r, test.token), Intact: true, Shaped: true, Dressed: true}
			if diff := cmp.Diff(settled, secret.Hold(r, s).Inspect(r)); diff != "" {
				t.Errorf("Inspect after one write (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInspectAfterTheSpecChanged(t *testing.T) {
	tests := map[string]struct {
		change  func(*stsv1alpha1.TokenRequest)
		dressed bool
	}{
		"a label is no longer wanted":                        {func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret.Labels = nil }, false},
		"an annotation is no longer wanted":                  {func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret.Annotations = nil }, false},
		"a label is wanted in addition":                      {func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret.Labels["stage"] = "test" }, false},
		"an empty label is wanted in addition":               {func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret.Labels["stage"] = "" }, false},
		"an annotation is wanted in addition":                {func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret.Annotations["a"] = "b" }, false},
		"a label has another value":                          {func(r *stsv1alpha1.TokenRequest) { r.Spec.Secret.Labels["team"] = "orders" }, false},
		"a label of the request itself isn't for the Secret": {func(r *stsv1alpha1.TokenRequest) { r.Labels = map[string]string{"argocd.argoproj.io/instance": "a"} }, true},
		"scopes say nothing of labels":                       {func(r *stsv1alpha1.TokenRequest) { r.Spec.Scopes = nil }, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRequest(dressed)
			s := written(t, r, newToken())
			record := recordOf(r, newToken())
			test.change(r)
			want := secret.Content{Record: record, Intact: true, Shaped: true, Dressed: test.dressed}
			for form, s := range map[string]*corev1.Secret{"itself": s, "stripped": secret.Strip(s)} {
				if diff := cmp.Diff(want, secret.Hold(r, s).Inspect(r)); diff != "" {
					t.Errorf("Inspect of the Secret %s (-want +got):\n%s", form, diff)
				}
			}
		})
	}
}

// The same content, in Secrets that are held differently.
func TestInspectOfEachHolding(t *testing.T) {
	intact := recordOf(newRequest(), newToken())
	tests := map[string]struct {
		change func(*corev1.Secret)
		want   secret.Content
	}{
		"our own": {inTurn(), secret.Content{Record: intact, Intact: true, Shaped: true, Dressed: true}},
		"a dead namesake's has its token, and the wrong owner": {func(s *corev1.Secret) { s.OwnerReferences[0].UID = "uid-of-the-dead" }, secret.Content{Record: intact, Intact: true, Shaped: true}},
		"another request's holds no token of ours": {func(s *corev1.Secret) {
			s.OwnerReferences[0].Name, s.OwnerReferences[0].UID = "second", "uid-of-second"
		}, secret.Content{}},
		"nobody's holds no token of ours": {withoutOwner, secret.Content{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := written(t, newRequest(), newToken())
			test.change(s)
			for form, s := range map[string]*corev1.Secret{"itself": s, "stripped": secret.Strip(s)} {
				if diff := cmp.Diff(test.want, secret.Hold(newRequest(), s).Inspect(newRequest())); diff != "" {
					t.Errorf("Inspect of the Secret %s (-want +got):\n%s", form, diff)
				}
			}
		})
	}
	t.Run("a free name holds no token", func(t *testing.T) {
		if diff := cmp.Diff(secret.Content{}, secret.Hold(newRequest(), nil).Inspect(newRequest())); diff != "" {
			t.Errorf("Inspect (-want +got):\n%s", diff)
		}
	})
}

// A Secret that consents gets our keys, and all that its maker said of it stays.
func TestAConsentingSecretStaysItsMakers(t *testing.T) {
	r := newRequest()
	s := ownedBy("apps/v1", "Deployment", "web", "uid-of-web", consentsTo("graph"), func(s *corev1.Secret) {
		s.Type = "example.com/theirs"
		s.Labels = map[string]string{stsv1alpha1.LabelManagedBy: "Helm"}
		s.Data = map[string][]byte{"password": []byte("theirs"), "access_token": []byte("theirs")}
	})
	before := s.DeepCopy()
	if diff := cmp.Diff(secret.Content{}, secret.Hold(r, s).Inspect(r)); diff != "" {
		t.Fatalf("Inspect before our first write (-want +got):\n%s", diff)
	}
	apply(t, s, render(r, secret.Hold(r, s), newToken()))
	want := secret.Content{Record: recordOf(r, newToken()), Intact: true, Shaped: true, Dressed: true}
	if diff := cmp.Diff(want, secret.Hold(r, s).Inspect(r)); diff != "" {
		t.Errorf("Inspect after our write (-want +got):\n%s", diff)
	}
	kept := map[string]any{
		"type": s.Type, "owners": s.OwnerReferences, "managed-by": s.Labels[stsv1alpha1.LabelManagedBy],
		"password": string(s.Data["password"]), "consent": s.Annotations[stsv1alpha1.AnnotationAdoptableBy],
	}
	wantKept := map[string]any{
		"type": before.Type, "owners": before.OwnerReferences, "managed-by": "Helm", "password": "theirs", "consent": "graph",
	}
	if diff := cmp.Diff(wantKept, kept); diff != "" {
		t.Errorf("what is the maker's changed (-want +got):\n%s", diff)
	}
	if got := string(s.Data["access_token"]); got != tokenCanary {
		t.Errorf("the key access_token holds %q, want the token", got)
	}
}

// To write a Secret again with other labels takes what it holds, and nothing of others.
func TestDataOfAnIntactSecretIsWhatWasWritten(t *testing.T) {
	for name, token := range map[string]*sts.Token{"with lifetime and scope": newToken(), "without": bareToken()} {
		t.Run(name, func(t *testing.T) {
			r := newRequest()
			s := written(t, r, token)
			s.Data["theirs"], s.Data["zzz"] = []byte("1"), []byte("2")
			want := bodyOf(r, token)
			if diff := cmp.Diff(want, secret.Hold(r, s).Body()); diff != "" {
				t.Errorf("Body (-want +got):\n%s", diff)
			}
		})
	}
}
