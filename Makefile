# Everything a person or a machine does with this repository. Run `make help` for the list.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Servers and clients that tests fetch are kept here between runs.
export BANYAN_TEST_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/banyan-test

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Build and start all roles in one process, with the embedded store in ./data
	exec cargo run --release --quiet --package banyan --bin banyan -- serve --config deploy/local/banyan.toml

.PHONY: test
test: ## Run every check and test; fetches what it needs
	tests/run

.PHONY: lint
lint: ## Formatting, clippy, docs and dependency rules only
	tests/lint

.PHONY: cluster
cluster: ## Start NATS, Cassandra and two replicas of every role on loopback
	tests/prerequisites
	cargo build --release --bin banyan
	cargo run --release --quiet --package banyan-tests --bin cluster -- start

.PHONY: cluster-stop
cluster-stop: ## Stop what `make cluster` started
	cargo run --release --quiet --package banyan-tests --bin cluster -- stop

.PHONY: cluster-status
cluster-status: ## Say what of it runs
	cargo run --release --quiet --package banyan-tests --bin cluster -- status

.PHONY: trace
trace: ## Send one message through a cluster and print its trace
	tests/prerequisites
	cargo build --bin banyan
	cargo test --package banyan-tests --test it traces -- --nocapture --test-threads 1

.PHONY: bench
bench: ## Measure a release build and print a table
	tests/prerequisites
	cargo build --release --bin banyan
	cargo run --release --package banyan-bench -- all

.PHONY: simulate
simulate: ## Run log simulations for ever: make simulate SCHEDULES=100000 [SEED=1]
	BANYAN_SIM_SCHEDULES=$(or $(SCHEDULES),100000) BANYAN_SIM_SEED=$(or $(SEED),1) \
		cargo test --release --package banyan-log --lib simulation_finds -- --nocapture
