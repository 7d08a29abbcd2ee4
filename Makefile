# Everyday commands; `make` alone lists them. ARGS is passed to the command: make demo ARGS="--seconds 10".
.DEFAULT_GOAL := help
.PHONY: help demo demo-build test test-browser test-faults test-compose test-mirror test-kubernetes test-monitoring \
	bench bench-pipeline bench-peers bench-build lint fmt k8s-apps manifests check-custom-resources check-kafka-users \
	deny dashboards rules reference

# Go is often installed here but not on PATH; scripts/services needs it once, to build the services.
export PATH := $(PATH):/usr/local/go/bin

PYTHON := target/venv/bin/python

# With the features that the tests need, nothing is built a second time after them:
# BUILD_BINS="cargo build --workspace --bins --tests"
BUILD_BINS ?= cargo build --workspace --bins

help: ## list these commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-15s %s\n", $$1, $$2}'

# librdkafka is built by its own script, and all other C sources by cargo's. Neither optimizes much for the demo, and
# librdkafka's interface for C++, which nothing here uses, is left out.
demo demo-build: export CFLAGS := -O1 -g0
demo demo-build: export TARGET_CFLAGS := -O0
demo demo-build: export GNUMAKEFLAGS := LIBSUBDIRS=src
DEMO := --profile demo --no-default-features --features demo -p kafkaefd
demo: ## run the whole pipeline with embedded services; Ctrl-C ends it with a table
	cargo run $(DEMO) -- demo $(ARGS)

demo-build: ## build what `make demo` runs
	cargo build $(DEMO)

test: ## run every test, including those against a real Kafka, registry and InfluxDB
	cargo test --workspace --no-run
	scripts/services run --secured --operator --name test-$$$$ -- scripts/test $(ARGS)
	@test -d ../shared || echo 'left out: comparisons with published schemas and captured messages (no ../shared)'

test-browser: ## open every page in headless Chromium, on the demo and on real services; screenshots in target/browser
	$(BUILD_BINS)
	scripts/services run --name browser-$$$$ -- scripts/browser install target/debug/kafkaefd target/browser

# To break the only broker of a cluster: make test-faults BROKERS=1
BROKERS := 3

test-faults: ## inject 300 faults into a real cluster of three brokers and account for every record (an hour on two cores)
	$(BUILD_BINS)
	scripts/services run --brokers $(BROKERS) --name faults-$$$$ -- target/debug/faults $(ARGS)

test-compose: ## start compose.yaml and compose.cluster.yaml in containers and account for every message (as root)
	python3 -m tests.compose $(ARGS)

test-mirror: ## mirror one site to another with MirrorMaker 2, and compare what both databases hold (as root)
	python3 -m tests.mirror $(ARGS)

test-kubernetes: ## follow docs/kubernetes.md on a real Kubernetes; then disturb the pipeline and account for every message (as root)
	python3 -m unittest tests.kubernetes.test_accounts
	python3 -m tests.kubernetes follow
	python3 -m tests.kubernetes test $(ARGS)

bench: ## measure the hot paths with criterion; ends with a RATIO line for each target in docs/performance.md
	cargo bench --locked -p efd-benches --bench transform --bench sink -- $(ARGS)
	cargo bench --locked -p efd-benches --bench ratios

RELEASE := cargo build --release --locked --no-default-features --bins
STAGES := -p salmock -p saltransform -p influxsink -p kafkaefd -p bench-pipeline

# Without ARGS, the results are also written to the document.
REPORT = $(or $(ARGS),--report docs/performance.md)

bench-pipeline: ## measure the whole pipeline on real services against a bare librdkafka loop (20 minutes)
	$(RELEASE) $(STAGES)
	scripts/services run --name bench-$$$$ -- target/release/bench-pipeline $(REPORT)

bench-peers: ## measure influxsink against Telegraf and against a bare HTTP loop (10 minutes)
	$(RELEASE) $(STAGES)
	scripts/services run --peers --name bench-$$$$ -- target/release/bench-pipeline --rows peers $(REPORT)

bench-build: ## measure what a clone takes to the demo's account, beside the same build as a release (20 minutes)
	scripts/bench-build $(REPORT)

lint: ## check formatting, and run clippy with warnings as errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --no-default-features -- -D warnings
	cargo clippy -p kafkaefd --no-default-features -- -D warnings

deny: ## check the licences, sources, versions and vulnerabilities of all dependencies
	scripts/deny

fmt: ## format the code
	cargo fmt --all

k8s-apps: ## render the files in k8s-apps/ from its bases, overlays and loads
	scripts/render-k8s-apps

manifests: ## validate k8s-apps/ and the Compose files (after `scripts/services install`)
	$(PYTHON) scripts/check-manifests

check-custom-resources: ## check k8s-apps/, k8s-cluster/ and monitoring/ by a real API server with the real definitions
	scripts/check-custom-resources

check-kafka-users: ## run the binaries on a real Kafka with the permissions of k8s-cluster/users/ and no others
	$(BUILD_BINS)
	scripts/services run --secured --name users-$$$$ -- $(PYTHON) scripts/check-kafka-users

dashboards: ## write monitoring/dashboards/*.json from monitoring/panels
	monitoring/dashboards.py

reference: ## write docs/reference/ and the tables of docs/metrics.md from the code
	RECORD_REFERENCE=1 cargo test --workspace --test reference

rules: ## write monitoring/prometheus-rule.yaml from monitoring/rules
	monitoring/prometheus_rule.py

test-monitoring: ## test the alerts with promtool, and run every dashboard's queries on a running pipeline (5 minutes)
	$(BUILD_BINS)
	scripts/services run --name monitoring-$$$$ -- $(PYTHON) scripts/check-monitoring --live $(ARGS)
