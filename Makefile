# One word for each thing one does here; the work is in CMakePresets.json and .ci/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build test drills asan tsan fuzz bench lint deps clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## install what is missing, build, start weir with three demo origins; Ctrl-C stops all
	@.ci/deps build
	@.ci/build
	@exec conf/quickstart.sh out/release/bin/weir

build: ## the release binary; the last line printed is its path
	@.ci/deps build
	@.ci/build
	@echo $(CURDIR)/out/release/bin/weir

test: ## everything that should pass before a commit; ends with `N passed, N failed`
	@.ci/deps build test
	@.ci/test dev

drills: ## faults and floods while weir works, one table with its figures; DRILLS='storm ...'
	@.ci/deps build test
	@.ci/build dev
	@WEIR_BINARY=$(CURDIR)/out/dev/bin/weir /usr/bin/python3 tests/drills/run.py $(DRILLS)

asan: ## the same tests under AddressSanitizer, LeakSanitizer and UBSan
	@.ci/deps build test
	@.ci/test asan

tsan: ## the tests labelled tsan (workers, reload, metrics) under ThreadSanitizer
	@.ci/deps build test
	@.ci/test tsan tsan

fuzz: ## every fuzz target for FUZZ_SECONDS (60) seconds
	@.ci/deps build fuzz
	@.ci/fuzz

bench: ## weir, the floor, nginx and HAProxy in one run (bench/README.md); BENCH_ARGS=--quick
	@.ci/deps build bench
	@.ci/build bench
	@/usr/bin/python3 bench/e2e/run.py --build out/bench $(BENCH_ARGS)

lint: ## layout and clang-tidy
	@.ci/deps build test lint
	@.ci/lint

deps: ## every package that any of these needs
	@.ci/deps build runtime test bench fuzz lint

clean: ## remove all build trees
	rm -rf out
