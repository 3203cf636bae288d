# The front door. `make demo` and `make test` need nothing but Debian 12, root, git and make: each installs first what is
# missing. Everything large is kept in $TIDEGATE_CACHE (default ~/.cache/tidegate).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build build-release images cluster cluster-down kubeconfig demo demo-down test test-unit test-tools \
  test-lint test-fuzz test-tsan test-e2e fuzz sim mutants lint lint-tidy format bench bench-scale bench-runtime \
  bench-resident bench-reload bench-slow-clients clean purge

CACHE := $(or $(TIDEGATE_CACHE),$(HOME)/.cache/tidegate)
JOBS := $(shell nproc)
CLUSTER := e2e/cluster

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything that is missing: Debian packages, Python packages, Kubernetes, etcd, CoreDNS, MinIO
	@tools/setup

build: setup ## compile everything for the daily round, into build/dev
	@tools/compile dev

build-release: setup ## compile what the images carry, into build/release
	@tools/compile release

images: build-release ## build the container images and load them into the cluster, when that is up
	@$(CLUSTER)/images

cluster: setup ## start a real Kubernetes node on this machine
	@$(CLUSTER)/up

cluster-down: ## stop it and give back everything it took
	@$(CLUSTER)/down

kubeconfig: ## print the path of the cluster's kubeconfig
	@$(CLUSTER)/kubeconfig

demo: ## the whole story on a real cluster: one version promoted, one taken back; leaves the cluster up
	@e2e/demo/run

demo-down: ## remove what the demo made, the cluster included
	@e2e/demo/down

test: setup ## every suite: lint, tools, unit, fuzz, end to end; one line a suite and a summary
	@tools/run-tests lint tools unit fuzz e2e

test-lint: setup ## format, include rules, shapes of coroutines
	@tools/run-tests lint

test-tools: setup ## tests of our own checks
	@tools/run-tests tools

test-unit: setup ## GoogleTest and the model server's clients, in build/release
	@tools/run-tests unit

test-fuzz: setup ## every fuzz target: all inputs that are known, then 400,000 others, new ones each time
	@tools/run-tests fuzz

test-tsan: setup ## the tests of what has threads, with ThreadSanitizer; builds all of it anew, so it is not part of test
	@tools/run-tests tsan

test-e2e: setup ## pytest on the cluster, which is started and stopped when it is not up already
	@tools/run-tests e2e

fuzz: setup ## fuzz the decoders of what strangers send: SECONDS=60 for each target, TARGET=tfs_json for one of them
	@tests/fuzz/run --seconds $(or $(SECONDS),60) $(TARGET)

sim: setup ## simulate the operator in a made-up cluster: SEED=7 repeats one, SEEDS=1..1000 runs many, HOURS=8 goes on
	@tools/compile release sim
	@build/release/tests/sim/sim $(if $(SEED),--seed $(SEED),$(if $(SEEDS),--seeds $(SEEDS))) $(if $(HOURS),--hours $(HOURS)) $(SIM_FLAGS)

mutants: setup ## put known bugs into a copy of the operator, one at a time; the simulation has to find each
	@tests/sim/mutants/run $(MUTANTS)

lint: test-lint ## the same as test-lint

lint-tidy: build ## clang-tidy over our sources: takes minutes, so it is not part of lint
	@run-clang-tidy-19 -quiet -p build/dev -j $(JOBS) '$(CURDIR)/(src|operator|serving-runtime|e2e)/.*\.cc$$'

format: setup ## rewrite our sources as clang-format wants them
	@git ls-files -co --exclude-standard '*.cc' '*.h' | xargs -r -P $(JOBS) -n 16 clang-format-19 -i

bench: build-release ## run the benchmarks
	@tools/run-benchmarks

bench-scale: setup ## the operator beside others with many objects: OPTIONS="--objects=1000 --peers=tidegate,argo"
	@"$(CACHE)/venv/bin/python" bench/scale/measure --setup $(OPTIONS)

bench-runtime: setup ## the model server beside others: OPTIONS="--servers=onnx,triton --cases='small/*'" (TRITON_ONNX_BACKEND=FILE)
	@"$(CACHE)/venv/bin/python" bench/runtime/measure --setup $(OPTIONS)

bench-resident: build-release ## many models in the model server, memory for few: OPTIONS="--models=50 --resident=10"
	@"$(CACHE)/venv/bin/python" bench/resident/measure $(OPTIONS)

bench-reload: build-release ## memory of the model server while models are unloaded and loaded again: OPTIONS="--cycles=1000"
	@TIDEGATE_BUILD=build/release "$(CACHE)/venv/bin/python" tests/serving-runtime/python/reload_cycles.py build/bench/reload $(OPTIONS)

bench-slow-clients: build-release ## what slow connections do to others: OPTIONS="--connections=10000"
	@TIDEGATE_BUILD=build/release "$(CACHE)/venv/bin/python" tests/serving-runtime/python/slow_connections.py $(OPTIONS)

clean: ## remove build/
	@rm -rf build

purge: demo-down clean ## remove the cluster, build/, the cache and the kubectl on PATH: everything but Debian's packages
	@if [ "$$(readlink /usr/local/bin/kubectl)" = "$(CACHE)/bin/kubectl" ]; then rm -f /usr/local/bin/kubectl; fi
	@rm -rf "$(CACHE)"
