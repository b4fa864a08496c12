// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"flag"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"tokenrequest.dev/operator/internal/manager"
	"tokenrequest.dev/operator/internal/metrics"
	"tokenrequest.dev/operator/internal/schedule"
	"tokenrequest.dev/operator/internal/throttle"
	"tokenrequest.dev/operator/internal/throttle/configmap"
)

const (
	specPage       = "docs/spec/tokenrequest.md"
	operationsPage = "docs/operations.md"
)

// operatorFlags are the flags of the operator. --kubeconfig is controller-runtime's, which declares it
// for every program that links it.
func operatorFlags(t *testing.T) *flag.FlagSet {
	t.Helper()
	t.Setenv("POD_NAMESPACE", "")
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	var config manager.Config
	config.BindFlags(flags)
	kubeconfig := flag.Lookup("kubeconfig")
	if kubeconfig == nil {
		t.Fatal("controller-runtime declares no flag --kubeconfig any more")
	}
	flags.Var(kubeconfig.Value, kubeconfig.Name, kubeconfig.Usage)
	return flags
}

func TestTheTableOfFlagsIsComplete(t *testing.T) {
	flags := operatorFlags(t)
	documented := map[string]bool{}
	for _, row := range rows(userPage(t, operationsPage).section(t, "Flags")) {
		name := strings.TrimPrefix(spans(row[0])[0], "--")
		documented[name] = true
		f := flags.Lookup(name)
		if f == nil {
			t.Errorf("there is no flag --%s", name)
			continue
		}
		// A flag whose default is no text says in its usage, or not at all, what it does.
		if f.DefValue != "" && row[1] != "`"+f.DefValue+"`" {
			t.Errorf("--%s has the default %q, and the table says %s", name, f.DefValue, row[1])
		}
	}
	flags.VisitAll(func(f *flag.Flag) {
		if !documented[f.Name] {
			t.Errorf("the table lacks --%s", f.Name)
		}
	})
}

var longFlag = regexp.MustCompile(`^--([a-z][a-z-]*)`)

func TestEveryFlagThatIsNamedExists(t *testing.T) {
	flags := operatorFlags(t)
	for _, p := range allPages(t) {
		for _, l := range p.lines {
			for _, span := range spans(l.text) {
				match := longFlag.FindStringSubmatch(span)
				if match != nil && flags.Lookup(match[1]) == nil {
					t.Errorf("%s:%d: there is no flag --%s", p.path, l.number, match[1])
				}
			}
		}
	}
}

// schema is as much of a CRD's schema as is asked for here.
type schema struct {
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
}

// field finds a field of a TokenRequest by its path.
func field(t *testing.T, path string) (schema, error) {
	t.Helper()
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	text := readFile(t, filepath.Join(root, "config/crd/bases/sts.tokenrequest.dev_tokenrequests.yaml"))
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	at := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	for name := range strings.SplitSeq(path, ".") {
		if at.Items != nil {
			at = *at.Items
		}
		next, there := at.Properties[name]
		if !there {
			return schema{}, fmt.Errorf("a TokenRequest has no field %s: %q isn't there", path, name)
		}
		at = next
	}
	return at, nil
}

var fieldPath = regexp.MustCompile(`^(spec|status)(\.[a-z][A-Za-z]*)+$`)

func TestEveryFieldThatIsNamedExists(t *testing.T) {
	for _, p := range allPages(t) {
		if strings.HasPrefix(p.path, "docs/adr/") {
			continue // a decision may speak of another version
		}
		for _, l := range p.lines {
			for _, span := range spans(l.text) {
				if !fieldPath.MatchString(span) {
					continue
				}
				if _, err := field(t, span); err != nil {
					t.Errorf("%s:%d: %v", p.path, l.number, err)
				}
			}
		}
	}
}

func TestTheTablesOfFieldsAreComplete(t *testing.T) {
	tests := []struct {
		heading, parent string
		elsewhere       []string // told in another place, or not served by this version
	}{
		{"spec.issuer", "spec.issuer", []string{"deviceAuthorizationEndpoint"}},
		{"Other fields of spec", "spec", []string{"issuer", "grant"}},
		{"Status", "status", []string{"conditions", "deviceAuthorization"}},
	}
	for _, test := range tests {
		t.Run(test.heading, func(t *testing.T) {
			named := test.elsewhere
			for _, row := range rows(userPage(t, specPage).section(t, test.heading)) {
				for _, path := range spans(row[0]) {
					if _, err := field(t, test.parent+"."+path); err != nil {
						t.Error(err)
					}
					named = append(named, strings.Split(path, ".")[0])
				}
			}
			parent, err := field(t, test.parent)
			if err != nil {
				t.Fatal(err)
			}
			for name := range parent.Properties {
				if !slices.Contains(named, name) {
					t.Errorf("the table lacks %s", name)
				}
			}
		})
	}
}

// TestTheTableOfTheClock plans the refreshes of many objects, and compares the first and the last of
// each row with what the table says, to within a hundredth of the token's life.
func TestTheTableOfTheClock(t *testing.T) {
	const objects = 2000
	for _, row := range rows(userPage(t, specPage).section(t, "The clock")) {
		life := duration(t, row[0])
		for column, first := range map[int]bool{1: true, 2: false} {
			var plans []time.Duration
			for i := range objects {
				issuedAt := time.Unix(0, 0)
				at := schedule.RefreshAt(schedule.Token{IssuedAt: issuedAt, Lifetime: life, First: first}, fmt.Sprint(i))
				plans = append(plans, at.Sub(issuedAt))
			}
			from, to, _ := strings.Cut(row[column], " to ")
			for _, edge := range []struct {
				text string
				got  time.Duration
			}{{from, slices.Min(plans)}, {to, slices.Max(plans)}} {
				if off := (edge.got - duration(t, edge.text)).Abs(); off > max(life/100, time.Second) {
					t.Errorf("with a life of %s the edge %s is %s", row[0], edge.text, edge.got)
				}
			}
		}
	}
}

// TestTheTableOfGates shuts each gate again and again, and compares the first and the longest time with
// what the table says.
func TestTheTableOfGates(t *testing.T) {
	gates := map[string]throttle.Failure[string]{
		"Rate":              {Kind: throttle.Rate},
		"Unavailable":       {Kind: throttle.Unavailable},
		"Refused":           {Kind: throttle.Refused},
		"Refused, at first": {Kind: throttle.Refused, Propagating: true},
	}
	table := rows(userPage(t, specPage).section(t, "Throttling and retries"))
	if len(table) != len(gates) {
		t.Errorf("the table has %d gates, want %d", len(table), len(gates))
	}
	for _, row := range table {
		failure, known := gates[row[0]]
		if !known {
			t.Errorf("there is no gate %q", row[0])
			continue
		}
		if failure.Kind == throttle.Rate {
			asked := failure
			asked.RetryAfter = 365 * 24 * time.Hour
			if got, want := shutFor(asked, 1), duration(t, row[3]); got != want {
				t.Errorf("the longest Rate gate is %s, and the table says %s", got, row[3])
			}
		} else if got, want := shutFor(failure, 1000), duration(t, row[3]); got != want {
			t.Errorf("the longest gate %q is %s, and the table says %s", row[0], got, row[3])
		}
		if got, want := shutFor(failure, 1), duration(t, firstDuration.FindString(row[2])); got != want {
			t.Errorf("the first gate %q is %s, and the table says %s", row[0], got, row[2])
		}
	}
}

// shutFor is how long the failure shuts its gate when it is one of so many in a row.
func shutFor(f throttle.Failure[string], attempts int) time.Duration {
	now := time.Unix(0, 0)
	f.Attempts = attempts - 1
	return throttle.New[string](throttle.Limits{}, clocktesting.NewFakePassiveClock(now)).Remember(throttle.Request{}, f).Until.Sub(now)
}

var firstDuration = regexp.MustCompile(`[0-9]+ (ms|s|min|h)`)

// duration reads a duration as the pages write it, such as "5 min".
func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(strings.NewReplacer(" ", "", "min", "m").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The leader writes its lease as often as the flag says.
func TestTheLeaseIsWrittenAsOftenAsIsSaid(t *testing.T) {
	period := operatorFlags(t).Lookup("leader-elect-retry-period")
	for _, row := range rows(userPage(t, operationsPage).section(t, "What it reads and writes")) {
		if !strings.HasPrefix(row[0], "Lease ") {
			continue
		}
		if said := duration(t, firstDuration.FindString(row[3])).String(); said != period.DefValue {
			t.Errorf("the page says that the lease is written each %s, and --%s is %s", said, period.Name, period.DefValue)
		}
		return
	}
	t.Error("the table has no Lease")
}

func TestTheTableOfAGateIsComplete(t *testing.T) {
	var documented, written []string
	for _, row := range rows(userPage(t, operationsPage).section(t, "The throttle ConfigMap")) {
		documented = append(documented, spans(row[0])...)
	}
	for f := range reflect.TypeFor[throttle.Entry[string]]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		written = append(written, name)
	}
	slices.Sort(documented)
	slices.Sort(written)
	if !slices.Equal(documented, written) {
		t.Errorf("a gate has the fields %s, and the table has %s", written, documented)
	}
}

func TestTheRolesAreInTheFilesThatTheTableLinksTo(t *testing.T) {
	for _, row := range rows(userPage(t, operationsPage).section(t, "Rights")) {
		for _, match := range namedLink.FindAllStringSubmatch(row[0], -1) {
			file := string(readFile(t, filepath.Join(root, "docs", match[2])))
			if !strings.Contains(file, "\n  name: "+match[1]+"\n") {
				t.Errorf("%s doesn't define %s", match[2], match[1])
			}
		}
	}
}

var namedLink = regexp.MustCompile(`\[([^\]]+)\]\(([^)]+)\)`)

func TestTheEventsOfTheThrottleConfigMap(t *testing.T) {
	var documented []string
	for _, row := range rows(userPage(t, operationsPage).section(t, "Events")) {
		documented = append(documented, spans(row[0])...)
	}
	want := []string{"Gate" + string(configmap.Unreadable), "Gate" + string(configmap.Misnamed)}
	if !slices.Equal(documented, want) {
		t.Errorf("the events are %s, and the table has %s", want, documented)
	}
}

var metricName = regexp.MustCompile(`\btokenrequest_[a-z_]+`)

func TestEveryMetricThatIsNamedExists(t *testing.T) {
	names := map[string]bool{}
	for _, family := range metrics.Families() {
		names[family.Name] = true
		if family.Type == metrics.Histogram {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names[family.Name+suffix] = true
			}
		}
	}
	for _, p := range allPages(t) {
		for _, l := range p.lines {
			for _, span := range spans(l.text) {
				for _, name := range metricName.FindAllString(span, -1) {
					if !names[name] {
						t.Errorf("%s:%d: there is no metric %s", p.path, l.number, name)
					}
				}
			}
		}
	}
}
