// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	stsv1alpha1 "tokenrequest.dev/operator/api/v1alpha1"
)

// customizations has the layout of resource_customizations in Argo CD's repository.
var customizations = filepath.FromSlash("../../config/argocd/sts.tokenrequest.dev")

// kinds are those that have a script.
var kinds = []string{"ClusterTokenIssuer", "TokenIssuer", "TokenRequest"}

// healthStatus is what a health script returns.
type healthStatus struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

var _ = Describe("Argo CD's health", func() {
	for _, kind := range kinds {
		It("of a "+kind+" is what health_test.yaml says", func() {
			for file, want := range healthCases(kind) {
				Expect(health(kind, parse(read(kind, file)))).To(Equal(want), file)
			}
		})

		It("of a "+kind+" has a case for each outcome, and for nothing else", func() {
			var expected []string
			for _, outcomes := range []map[string][]outcome{unlooked, looked} {
				for _, o := range outcomes[kind] {
					expected = append(expected, "testdata/"+o.name+".yaml")
				}
			}
			var listed []string
			for file := range healthCases(kind) {
				listed = append(listed, file)
			}
			Expect(listed).To(ConsistOf(expected))
			there, err := fs.Glob(os.DirFS(filepath.Join(customizations, kind)), "testdata/*.yaml")
			Expect(err).NotTo(HaveOccurred())
			Expect(there).To(ConsistOf(expected))
		})

		It("of a "+kind+" is Progressing without a status", func() {
			bare := parse(read(kind, "testdata/ready.yaml"))
			delete(bare, "status")
			Expect(health(kind, bare).Status).To(Equal("Progressing"))
		})
	}
})

var _ = Describe("Argo CD's actions on a TokenRequest", func() {
	It("are offered as action_test.yaml says", func() {
		for _, test := range actionTests().DiscoveryTests {
			found := map[string]action{}
			decode(script("TokenRequest", "actions/discovery.lua", parse(read("TokenRequest", "actions/"+test.InputPath))), &found)
			var got []action
			for name, a := range found {
				got = append(got, action{Name: name, Disabled: a.Disabled})
			}
			Expect(got).To(ConsistOf(test.Result), test.InputPath)
		}
	})

	It("do what action_test.yaml says", func() {
		for _, test := range actionTests().ActionTests {
			result := marshal(script("TokenRequest", "actions/"+test.Action+"/action.lua", parse(read("TokenRequest", "actions/"+test.InputPath))))
			result = instant.ReplaceAllString(result, "2026-01-01T00:00:00Z")
			expectTestdata("TokenRequest", "actions/"+test.ExpectedOutputPath, result)
		}
	})
})

var _ = Describe("Argo CD's actions on a TokenRequest", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { start(ctx) })

	It("reach the operator", func(ctx SpecContext) {
		tenant := newTenant(ctx, "acted-on")
		settled := await(ctx, create(ctx, tenant.Request("graph")), ready)

		refreshed := await(ctx, act(ctx, settled, "refresh"), ready)
		Expect(refreshed.GetAnnotations()).To(HaveKey(stsv1alpha1.AnnotationRefreshRequestedAt))
		Expect(tokenCalls(tenant)).To(Equal(2))
		suspended := await(ctx, act(ctx, refreshed, "suspend"), ready)
		Expect(health("TokenRequest", suspended.Object).Status).To(Equal("Suspended"))
		resumed := await(ctx, act(ctx, suspended, "resume"), ready)
		Expect(health("TokenRequest", resumed.Object).Status).To(Equal("Healthy"))
		Expect(resumed.Object["spec"]).To(Equal(settled.Object["spec"]), "an action leaves a difference to the repository behind")
		Expect(tokenCalls(tenant)).To(Equal(2))
	})
})

// act runs an action and patches the object as Argo CD does.
func act(ctx SpecContext, object *unstructured.Unstructured, name string) *unstructured.Unstructured {
	GinkgoHelper()
	after := &unstructured.Unstructured{}
	text, err := json.Marshal(script("TokenRequest", "actions/"+name+"/action.lua", object.Object))
	Expect(err).NotTo(HaveOccurred())
	Expect(after.UnmarshalJSON(text)).To(Succeed())
	Expect(cluster.API.Patch(ctx, after, client.MergeFrom(object))).To(Succeed())
	return after
}

// action is an entry of a menu.
type action struct {
	Name     string `json:"name"`
	Disabled bool   `json:"disabled"`
}

// actionTestFile is Argo CD's action_test.yaml.
type actionTestFile struct {
	DiscoveryTests []struct {
		InputPath string   `json:"inputPath"`
		Result    []action `json:"result"`
	} `json:"discoveryTests"`
	ActionTests []struct {
		Action             string `json:"action"`
		InputPath          string `json:"inputPath"`
		ExpectedOutputPath string `json:"expectedOutputPath"`
	} `json:"actionTests"`
}

func actionTests() (file actionTestFile) {
	GinkgoHelper()
	Expect(yaml.UnmarshalStrict([]byte(read("TokenRequest", "actions/action_test.yaml")), &file)).To(Succeed())
	Expect(file.DiscoveryTests).NotTo(BeEmpty())
	Expect(file.ActionTests).To(HaveLen(3))
	return file
}

// healthCases are those of a kind's health_test.yaml, by the path of the object.
func healthCases(kind string) map[string]healthStatus {
	GinkgoHelper()
	var file struct {
		Tests []struct {
			HealthStatus healthStatus `json:"healthStatus"`
			InputPath    string       `json:"inputPath"`
		} `json:"tests"`
	}
	Expect(yaml.UnmarshalStrict([]byte(read(kind, "health_test.yaml")), &file)).To(Succeed())
	cases := map[string]healthStatus{}
	for _, test := range file.Tests {
		Expect(cases).NotTo(HaveKey(test.InputPath), "there twice")
		cases[test.InputPath] = test.HealthStatus
	}
	return cases
}

// health is what the health script of a kind makes of an object.
func health(kind string, object map[string]any) (result healthStatus) {
	GinkgoHelper()
	decode(script(kind, "health.lua", object), &result)
	Expect(result.Status).To(BeElementOf("Healthy", "Progressing", "Degraded", "Suspended"))
	return result
}

// script runs one of a kind's scripts.
func script(kind, path string, object map[string]any) any {
	GinkgoHelper()
	returned, err := runScript(read(kind, path), object)
	Expect(err).NotTo(HaveOccurred(), "%s/%s", kind, path)
	return returned
}

func decode(value, into any) {
	GinkgoHelper()
	text, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	Expect(json.Unmarshal(text, into)).To(Succeed())
}

// read returns a file of a kind's folder.
func read(kind, path string) string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(customizations, kind, filepath.FromSlash(path)))
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// expectTestdata compares an object with a file, or with UPDATE_TESTDATA=1 writes that.
func expectTestdata(kind, path, object string) {
	GinkgoHelper()
	if os.Getenv("UPDATE_TESTDATA") != "" {
		Expect(os.WriteFile(filepath.Join(customizations, kind, filepath.FromSlash(path)), []byte(object), 0o600)).To(Succeed())
	}
	Expect(object).To(Equal(read(kind, path)), "%s/%s; UPDATE_TESTDATA=1 writes it anew", kind, path)
}

// parse reads one object as Argo CD has it: with the numbers of JSON.
func parse(text string) map[string]any {
	GinkgoHelper()
	object := map[string]any{}
	Expect(yaml.Unmarshal([]byte(text), &object)).To(Succeed())
	return object
}

func marshal(object any) string {
	GinkgoHelper()
	text, err := yaml.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

var instant = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// varying is what is another at each run, and what stands for it.
var varying = []struct {
	pattern  *regexp.Regexp
	constant string
}{
	{instant, "2026-01-01T00:00:00Z"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "00000000-0000-4000-8000-000000000000"},
	{regexp.MustCompile(`v1:[0-9a-f-]{16,}`), "v1:0123456789abcdef"},
	{regexp.MustCompile(`[A-Z]{4}-[A-Z]{4}`), "WDJB-MJHT"}, // RFC 8628 section 3.2
}
