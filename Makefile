# Everything here needs Go, git and make, and nothing else; tools and control plane are built from
# pinned Go modules on first use. `make help` lists the targets.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

IMG ?= tokenrequest-operator:latest
INSTALL ?= config/default
NAMESPACE ?= default
FUZZTIME ?= 30s
SOAK ?= 5m
OBJECTS ?= 5000
LIFE ?= 15m
# A clone without its history upgrades from itself, which is a rollout at least.
UPGRADE_FROM ?= $(shell git rev-parse --verify --quiet HEAD~1 || echo HEAD)

# Go stamps the version of the commit into the operator, where git can name one, and into nothing else.
export GOFLAGS := $(GOFLAGS) -buildvcs=false
vcs = $(shell git rev-parse --verify --quiet HEAD >/dev/null 2>&1 && echo true || echo false)

# The newest Kubernetes that is pinned in hack/controlplane, unless KUBERNETES_VERSION names another: 1.36, or 1.36.3.
pin := $(if $(KUBERNETES_VERSION),$(or $(shell hack/controlplane/pin.sh $(KUBERNETES_VERSION)),$(error no control plane)),.)
built := $(CURDIR)/bin/controlplane$(addprefix -,$(filter-out .,$(pin)))

# An API server and etcd that somebody else provides win over the ones built here, but not over a version asked for.
ifdef KUBERNETES_VERSION
KUBEBUILDER_ASSETS := $(built)
endif
KUBEBUILDER_ASSETS ?= $(built)
export KUBEBUILDER_ASSETS
kubectl = $(or $(shell command -v kubectl),$(KUBEBUILDER_ASSETS)/kubectl)

# What tests without pods need; a node needs two programs more.
controlplane = etcd kube-apiserver kubectl kube-controller-manager

# -race where cgo and a C compiler are at hand, else empty. RACE=-race insists.
RACE = $(if $(and $(filter 1,$(shell go env CGO_ENABLED)),$(shell command -v $$(go env CC))),-race)

# The decisions: what an error means, when to ask, whether a call may leave, who was forgotten, and the call itself.
CORE = ./internal/oautherr ./internal/schedule ./internal/throttle ./internal/stall ./internal/sts

# Packages without a Kubernetes client: rings 0 to 2.
PURE = ./internal/oautherr/... ./internal/schedule/... ./internal/throttle ./internal/stall ./internal/flight/... \
	./internal/sts/... ./internal/secret/...

##@ Everyday

.PHONY: help
help: ## Print this list.
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: build controlplane ## Show the operator at work against a simulated and a real STS (KEEP=1 leaves all running).
	go build -trimpath -o bin/stssim ./test/stssim/cmd/stssim
	go build -trimpath -o bin/demo ./test/demo
	go build -C test/interop -trimpath -o $(CURDIR)/bin/authserver ./authserver/cmd/authserver
	bin/demo $(if $(KEEP),-keep)

.PHONY: ready
ready: ## Make a change ready for review: generate, format, lint, test.
	$(MAKE) generate
	$(MAKE) fmt
	$(MAKE) lint
	$(MAKE) test

.PHONY: verify
verify: bin/controller-gen bin/govulncheck bin/kustomize ## Prove, in a copy, that generated files, modules, format and documents are up to date.
	hack/verify.sh

.PHONY: verify-reproducible
verify-reproducible: ## Prove that two builds of the last commit, in two places and without a shared cache, are the same.
	hack/reproducible.sh

##@ Build

.PHONY: build
build: ## Build bin/manager, static.
	CGO_ENABLED=0 go build -trimpath -buildvcs=$(vcs) -ldflags '-s -w' -o bin/manager ./cmd

.PHONY: image
image: ## Write dist/image.tar, the image IMG for amd64 and arm64, without Docker or a registry.
	for arch in amd64 arm64; do CGO_ENABLED=0 GOOS=linux GOARCH=$$arch \
		go build -trimpath -buildvcs=$(vcs) -ldflags '-s -w' -o bin/linux-$$arch/manager ./cmd; done
	go run -C hack/supply . image $(CURDIR)/dist/image.tar $(IMG) $(CURDIR)/bin/linux-amd64/manager $(CURDIR)/bin/linux-arm64/manager

.PHONY: sbom
sbom: build ## Write dist/sbom.cdx.json, the bill of materials of bin/manager in CycloneDX.
	go run -C hack/supply . sbom $(CURDIR)/dist/sbom.cdx.json $(CURDIR)/bin/manager

.PHONY: dist
dist: bin/kustomize ## Write dist/install.yaml: all of INSTALL (config/default) in one file, with the image IMG.
	mkdir -p dist
	bin/kustomize build $(INSTALL) | sed 's|image: tokenrequest-operator:latest$$|image: $(IMG)|' >dist/install.yaml

.PHONY: chart
chart: bin/helm ## Write the Helm chart into dist/, as a package.
	bin/helm package charts/tokenrequest-operator --destination dist

.PHONY: generate
generate: bin/controller-gen bin/kustomize ## Generate deep copies, CRDs, the operator's role, the chart's templates and the reference documents.
	bin/controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	bin/controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	bin/controller-gen rbac:roleName=tokenrequest-operator paths=./internal/controller/... output:rbac:dir=config/rbac
	go run ./hack/chart
	go run ./hack/docs
	go run -C hack/supply . licences $(CURDIR)/docs/reference/licences.md

.PHONY: fmt
fmt: bin/golangci-lint ## Format the Go code.
	bin/golangci-lint fmt
	cd test/interop && $(CURDIR)/bin/golangci-lint fmt
	cd test/gitops && $(CURDIR)/bin/golangci-lint fmt
	cd test/monitoring && $(CURDIR)/bin/golangci-lint fmt
	cd hack/supply && $(CURDIR)/bin/golangci-lint fmt

.PHONY: lint
lint: bin/golangci-lint ## Run the linters, which also hold the import rings.
	bin/golangci-lint run
	cd test/interop && $(CURDIR)/bin/golangci-lint run
	cd test/gitops && $(CURDIR)/bin/golangci-lint run
	cd test/monitoring && $(CURDIR)/bin/golangci-lint run
	cd hack/supply && $(CURDIR)/bin/golangci-lint run

##@ Test

.PHONY: test
test: controlplane bin/helm _race-note ## Run all tests (KUBERNETES_VERSION=1.36 for another than the newest).
	go test -timeout 25m $(RACE) ./...
	go test -C test/interop $(RACE) ./...
	go test -C test/gitops $(RACE) ./...
	go test -C test/monitoring ./...
	go test -C hack/supply $(RACE) ./...

.PHONY: test-unit
test-unit: _race-note ## Run the tests that need no API server.
	go test $(RACE) $$(hack/test-packages.sh unit)
	go test -C hack/supply $(RACE) ./...

.PHONY: test-envtest
test-envtest: controlplane bin/helm _race-note ## Run the tests that need an API server.
	go test -timeout 25m $(RACE) $$(hack/test-packages.sh envtest)

.PHONY: test-interop
test-interop: controlplane _race-note ## Run the tests against an authorization server that nobody here wrote.
	go test -C test/interop $(RACE) ./...

.PHONY: test-gitops
test-gitops: controlplane _race-note ## Run the tests of what Flux, Argo CD and kubectl make of it.
	go test -C test/gitops $(RACE) ./...

# promtool is built from Prometheus' module on first use.
.PHONY: test-monitoring
test-monitoring: ## Run the tests of the dashboard and the alerts, by Prometheus' own parser and promtool.
	go test -C test/monitoring ./...

# Its cluster goes at the end, unless KEEP is set; the cluster of E2E_KUBECONFIG stays. UPGRADE_FROM is the
# commit from which one of the tests upgrades.
.PHONY: test-e2e
test-e2e: bin/kustomize bin/helm _previous ## Run the tests with real pods, in a cluster of our own (as root; KEEP=1) or that of E2E_KUBECONFIG.
ifdef E2E_KUBECONFIG
	go test -tags e2e -count=1 -timeout 30m -v ./test/e2e
else
	$(if $(KEEP),,trap '$(MAKE) cluster-down' EXIT;) $(MAKE) cluster-up && \
		E2E_KUBECONFIG=$(CURDIR)/bin/cluster/kubeconfig NO_PROXY=10.213.0.0/16,127.0.0.1 $(MAKE) test-e2e
endif

.PHONY: _previous
_previous: bin/kustomize
	@hack/previous.sh $(UPGRADE_FROM)

.PHONY: deflake
deflake: _race-note ## Run the pure packages' tests 50 times in random order.
	go test $(RACE) -shuffle=on -count=50 $(PURE)

.PHONY: test-coverage
test-coverage: ## Hold the statement coverage of the decisions' packages at 95 % or more.
	hack/coverage.sh 95 $(CORE)

# Its short form is among the tests. SEED=... is one that a run printed; without it, each run draws another.
.PHONY: soak
soak: controlplane _race-note ## Soak the operator for SOAK (5m) in failing calls and kills, and print what a reader saw.
	SOAK=$(SOAK) SEED=$(SEED) go test -v -count=1 -timeout 0 $(RACE) ./test/soak -ginkgo.timeout 24h

# The first tokens of LIFE are renewed after 0.3 to 0.75 of it: 5,000 of 15m make 12 calls a second, which two cores bear.
.PHONY: soak-stall
soak-stall: controlplane ## Keep OBJECTS (5000) requests with tokens of LIFE (15m) for SOAK (5m) or longer, and print who was overdue.
	SOAK=$(SOAK) OBJECTS=$(OBJECTS) LIFE=$(LIFE) go test -v -count=1 -timeout 0 ./test/stall -ginkgo.timeout 24h -ginkgo.focus 'Many requests'

# The operator is built without the race detector, here and in the small form that is among the tests.
.PHONY: bench
bench: controlplane ## Measure the operator (SCENARIO=burst1000,... for some; PROFILE=1 for profiles) into bin/bench.
	rm -rf bin/bench && mkdir -p bin/bench
	BENCH=$(CURDIR)/bin/bench SCENARIO=$(SCENARIO) PROFILE=$(PROFILE) \
		go test -v -count=1 -timeout 0 ./test/bench -ginkgo.timeout 24h

.PHONY: bench-smoke
bench-smoke: controlplane ## Run the benchmark's small form, which judges counts and no times.
	go test -v -count=1 -timeout 15m ./test/bench

.PHONY: bench-record
bench-record: ## Keep the last run of the benchmark in docs/benchmarks.
	cp bin/bench/report.json bin/bench/report.md bin/bench/*.svg docs/benchmarks/

# Without a bound, minimizing one input may take the whole time.
.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (30s).
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' api internal | while IFS=: read -r file target; do \
		echo "$${target#func } in $$(dirname "$$file")"; \
		go test -run '^$$' -fuzz "^$${target#func }$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 50x "./$$(dirname "$$file")" </dev/null; \
	done

.PHONY: cover
cover: controlplane bin/helm ## Measure the tests' coverage into bin/cover.html.
	mkdir -p bin
	go test -coverpkg=./api/...,./internal/... -coverprofile=bin/cover.out ./...
	go tool cover -html=bin/cover.out -o bin/cover.html
	go tool cover -func=bin/cover.out | tail -n 1

.PHONY: _race-note
_race-note:
	@$(if $(RACE),:,echo 'No C compiler here: the tests run without the race detector.')

##@ Cluster

.PHONY: install
install: _kubectl ## Install the CRDs into the current cluster.
	$(kubectl) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: _kubectl ## Remove the CRDs, and with them every TokenRequest, from the current cluster.
	$(kubectl) delete --ignore-not-found -k config/crd

.PHONY: run
run: ## Run the operator here against the current cluster (NAMESPACE=default for what it remembers).
	go run ./cmd --leader-elect=false --operator-namespace=$(NAMESPACE)

.PHONY: deploy
deploy: _kubectl dist ## Install CRDs and operator (IMG=...) into the current cluster.
	$(kubectl) apply --server-side -f dist/install.yaml

.PHONY: undeploy
undeploy: _kubectl bin/kustomize ## Remove operator and CRDs from the current cluster.
	bin/kustomize build $(INSTALL) | $(kubectl) delete --ignore-not-found -f -

.PHONY: _kubectl
_kubectl:
	@$(if $(shell command -v kubectl),:,$(MAKE) controlplane)

.PHONY: cluster-up
cluster-up: build ## Start a cluster of one node on this machine, as root; its kubeconfig is bin/cluster/kubeconfig.
	hack/controlplane/build.sh bin/controlplane $(controlplane) kube-scheduler kubelet
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/controlplane/pause ./test/onenode/pause
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/e2e/ ./test/e2e/cmd/...
	go build -trimpath -o bin/onenode ./test/onenode
	bin/onenode up $(IMG)=65532:$(CURDIR)/bin/manager \
		tokenrequest-e2e:latest=65532:$(CURDIR)/bin/e2e/reader,$(CURDIR)/bin/e2e/strike \
		$(if $(wildcard bin/previous/manager),tokenrequest-operator:previous=65532:$(CURDIR)/bin/previous/manager)

.PHONY: cluster-check
cluster-check: ## Tell whether this machine can carry that cluster, and if not, what it lacks.
	@go build -trimpath -o bin/onenode ./test/onenode
	@bin/onenode check

.PHONY: cluster-down
cluster-down: ## Take that cluster down, and remove all that it left.
	go build -trimpath -o bin/onenode ./test/onenode
	bin/onenode down

##@ Set-up, done on demand by the targets above

.PHONY: tools
tools: bin/controller-gen bin/kustomize bin/helm bin/golangci-lint bin/govulncheck bin/ginkgo ## Build the tools into bin/.

.PHONY: controlplane
controlplane: ## Build the control plane's binaries into bin/controlplane (unless KUBEBUILDER_ASSETS is set).
ifeq ($(KUBEBUILDER_ASSETS),$(built))
	@PIN=$(pin) hack/controlplane/build.sh $(built) $(controlplane)
endif

.PHONY: clean
clean: ## Remove bin/ and dist/, and a cluster that is in bin/.
	if [ -e bin/cluster ]; then $(MAKE) cluster-down; fi
	rm -rf bin dist

bin/controller-gen: package = sigs.k8s.io/controller-tools/cmd/controller-gen
bin/kustomize: package = sigs.k8s.io/kustomize/kustomize/v5
bin/helm: package = helm.sh/helm/v4/cmd/helm
bin/golangci-lint: package = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
bin/govulncheck: package = golang.org/x/vuln/cmd/govulncheck
bin/ginkgo: package = github.com/onsi/ginkgo/v2/ginkgo
bin/controller-gen bin/kustomize bin/helm bin/golangci-lint bin/govulncheck bin/ginkgo: hack/tools/go.mod hack/tools/go.sum
	CGO_ENABLED=0 go build -C hack/tools -trimpath -o $(CURDIR)/$@ $(package)
	@touch $@
