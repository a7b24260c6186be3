# Everything a developer or CI does, by name. `make help` lists it.
SHELL := /bin/bash
export CGO_ENABLED ?= 0

tool    := go tool -modfile=tools/go.mod
oasdiff := go tool -modfile=tools/oasdiff.mod oasdiff
version := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ldflags := -s -w -X main.version=$(version)

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/slipway, a static binary
	go build -trimpath -ldflags '$(ldflags)' -o bin/slipway ./cmd/slipway

.PHONY: demo
demo: build ## start a server, deploy a real agent and talk to it
	bin/slipway demo

# Races are not looked for inside of SQLite, its C library and its memory, which
# are C that was translated, and of compress/flate: there that takes most of the
# time of all tests, and what calls them is looked at. Only in what is without
# generic code that others use: its instances are shared with other packages, and
# one of sync.Map that is not watched makes every use of it look like a race.
unwatched := modernc.org/sqlite/lib modernc.org/libc modernc.org/memory compress/flate
race      := -race $(unwatched:%=-gcflags=%=-race=false)

# The longest first, so that none is left alone at the end, and four at once, as
# they mostly wait for other programs. make check vets. A program that looks for
# races waits a second for more of them when it ends, and tests start many.
.PHONY: test
test: prepare build ## run all tests with the real agent server, and the demo once
	CGO_ENABLED=1 GORACE='atexit_sleep_ms=50' go test $(race) -vet=off -p 4 -timeout 35m ./e2e ./build/... ./driver/process ./internal/daemon ./...
	bin/slipway demo --once

.PHONY: test-fast
test-fast: ## run what needs no network and no agent server, in under a minute
	go test -short $$(go list ./... | grep -v /e2e)

.PHONY: simulate
simulate: prepare ## let the control loop die at every call and meet many fates; an hour, not in CI
	SLIPWAY_SIMULATE=thorough CGO_ENABLED=1 go test $(race) -timeout 120m ./internal/simulation
	SLIPWAY_SIMULATE=thorough go test ./internal/daemon -run 'TestDeathAtEachStepOfAHandOver$$' -count=1 -v -timeout 20m

.PHONY: test-rollout
test-rollout: prepare build ## replace revisions under load: 64 clients, 10 rollouts a kind, none may fail; minutes, CI has a short one
	SLIPWAY_ROLLOUTS=10 SLIPWAY_ROLLOUT_CLIENTS=64 SLIPWAY_ROLLOUT_SECONDS=60 go test ./e2e -run 'TestRollout$$' -count=1 -v -timeout 20m

.PHONY: test-rollout-images
test-rollout-images: prepare build ## the same of images of Node and Python, three rollouts each; minutes, not in CI
	SLIPWAY_ROLLOUT_IMAGES=1 go test ./e2e -run 'TestRollout$$/image' -count=1 -v -timeout 40m

.PHONY: test-flood
test-flood: prepare ## have a container print 2 GB, with the disk bounded; minutes, CI has 160 MB
	SLIPWAY_FLOOD_MB=2048 go test ./driver/docker -run 'TestSuite/a_flood_of_output' -count=1 -v -timeout 30m

.PHONY: fuzz
fuzz: ## look for requests that break the API or the registry; minutes, not in CI
	go test ./api -run '^$$' -fuzz FuzzHandler -fuzztime 2m
	for part in Body Query Path; do go test ./api/check -run '^$$' -fuzz "Fuzz$$part" -fuzztime 1m || exit 1; done
	go test ./registry -run '^$$' -fuzz FuzzRequests -fuzztime 1m -fuzzminimizetime 1x

# With the flags that make build has, what it has compiled is not compiled again.
.PHONY: check
check: export GOFLAGS += -trimpath
check: ## check formatting, vet, staticcheck, the contract, and that generated code is current
	@unformatted=$$($(tool) gofumpt -l $$(git ls-files '*.go' | grep -v -e '\.gen\.go$$' -e '^store/db/')); \
	  if [ -n "$$unformatted" ]; then echo "not gofumpt-formatted:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	cd bench && go vet ./... && go test ./...
	$(tool) staticcheck ./...
	$(oasdiff) breaking --fail-on WARN --err-ignore api/testdata/exceptions.txt api/testdata/contract.json api/openapi.json
	$(MAKE) generate
	git diff --exit-code -- . ':!go.sum' || { echo "generated code is not current: commit what make generate makes"; exit 1; }

.PHONY: generate
generate: ## make generated code anew
	go generate ./...

.PHONY: bench
bench: build ## measure, and print a table; see docs/benchmarks.md
	cd bench && go run . -slipway ../bin/slipway

.PHONY: bench-api
bench-api: build ## measure the API alone, beside PocketBase
	cd bench && go run . -slipway ../bin/slipway -only api

.PHONY: bench-gateway
bench-gateway: build ## measure the gateway beside nginx, Caddy and a bare ReverseProxy
	scripts/prepare-bench
	cd bench && go run . -slipway ../bin/slipway -only gateway

.PHONY: prepare
prepare: ## install what the tests need and this machine lacks
	scripts/prepare
