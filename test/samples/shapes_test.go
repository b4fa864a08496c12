// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package samples_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokenrequest.dev/operator/test/stssim"
)

// reader takes the token out of a Secret as those do who use it, with their own programs where every
// machine has them.
type reader func(*corev1.Secret) string

// shaped is a sample of a shape: all have the same client.
func shaped(request string, reads reader) func(string) sample {
	return func(string) sample {
		const secret = "the-secret-of-ci"
		return sample{
			elsewhere: []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "ci-app"}, StringData: map[string]string{"client_secret": secret}}},
			clients:   []stssim.Client{{Tenant: shop, ID: "ci", Secrets: []stssim.Secret{{Value: secret}}}},
			requests: map[string]token{request: {
				tenant: shop, client: "ci", method: "client_secret_basic", grant: clientCredentials, audience: sim.PlainIssuer(shop), reads: reads,
			}},
		}
	}
}

// defaultKeys reads what a request without templates gets.
func defaultKeys(scope string) reader {
	return func(s *corev1.Secret) string {
		GinkgoHelper()
		keys := []string{"access_token", "token_type", "expires_at"}
		if scope != "" {
			keys = append(keys, "scope")
			Expect(strings.Fields(string(s.Data["scope"]))).To(ConsistOf(strings.Fields(scope)))
		}
		Expect(slices.Collect(maps.Keys(s.Data))).To(ConsistOf(keys))
		Expect(string(s.Data["token_type"])).To(Equal("Bearer"))
		return string(s.Data["access_token"])
	}
}

func key(name string) reader { return behind(name, "") }

func behind(name, prefix string) reader {
	return func(s *corev1.Secret) string {
		GinkgoHelper()
		Expect(s.Data).To(HaveLen(1))
		value, found := strings.CutPrefix(string(s.Data[name]), prefix)
		Expect(found).To(BeTrue())
		return value
	}
}

// dockerPassword reads as a kubelet does, which takes auth where both are there.
func dockerPassword(s *corev1.Secret) string {
	GinkgoHelper()
	Expect(s.Type).To(Equal(corev1.SecretTypeDockerConfigJson))
	var config struct {
		Auths map[string]struct{ Username, Password, Auth string }
	}
	Expect(json.Unmarshal(s.Data[corev1.DockerConfigJsonKey], &config)).To(Succeed())
	registry := config.Auths["registry.example.com"]
	decoded, err := base64.StdEncoding.DecodeString(registry.Auth)
	Expect(err).NotTo(HaveOccurred())
	user, password, _ := strings.Cut(string(decoded), ":")
	Expect([]string{user, password}).To(Equal([]string{registry.Username, registry.Password}))
	return password
}

func basicAuthPassword(s *corev1.Secret) string {
	GinkgoHelper()
	Expect(s.Type).To(Equal(corev1.SecretTypeBasicAuth))
	Expect(s.Data).To(HaveKeyWithValue(corev1.BasicAuthUsernameKey, []byte("oauth2")))
	return string(s.Data[corev1.BasicAuthPasswordKey])
}

// argoRepositoryPassword reads what Argo CD finds by its label.
func argoRepositoryPassword(s *corev1.Secret) string {
	GinkgoHelper()
	Expect(s.Labels).To(HaveKeyWithValue("argocd.argoproj.io/secret-type", "repository"))
	Expect(s.Data).To(And(HaveKeyWithValue("type", []byte("git")), HaveKeyWithValue("url", []byte("https://git.example.com/shop/orders.git"))))
	return string(s.Data["password"])
}

func netrcPassword(s *corev1.Secret) string {
	GinkgoHelper()
	words := strings.Fields(string(s.Data[".netrc"]))
	Expect(words).To(HaveLen(6))
	Expect(words[:5]).To(Equal([]string{"machine", "git.example.com", "login", "oauth2", "password"}))
	return words[5]
}

// storedPassword has git read its own file.
func storedPassword(s *corev1.Secret) string {
	GinkgoHelper()
	git := exec.Command("git", "credential-store", "--file", mounted(s, ".git-credentials"), "get")
	git.Stdin = strings.NewReader("protocol=https\nhost=git.example.com\n\n")
	said, err := git.Output()
	Expect(err).NotTo(HaveOccurred())
	Expect(string(said)).To(HavePrefix("username=oauth2\npassword="))
	_, password, _ := strings.Cut(strings.TrimSuffix(string(said), "\n"), "password=")
	return password
}

// environmentToken has a shell read the file.
func environmentToken(s *corev1.Secret) string {
	GinkgoHelper()
	said, err := exec.Command("sh", "-c", `. "$1" && printf %s "$ORDERS_TOKEN"`, "sh", mounted(s, "token.env")).Output()
	Expect(err).NotTo(HaveOccurred())
	return string(said)
}

// mounted is the path of a key's file, as in a pod that mounts the Secret.
func mounted(s *corev1.Secret, key string) string {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), key)
	Expect(os.WriteFile(path, s.Data[key], 0o600)).To(Succeed())
	return path
}
