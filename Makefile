# Corral. `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help demo test bench torture build dev engines lint

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: ## start Corral, train three small real models, print the link to their live page (TOPOLOGY=roles: on Kafka and CQL)
	@python3 demo/run.py $(if $(TOPOLOGY),--topology $(TOPOLOGY))

test: ## everything: rules, unit, contract, end-to-end, browser, crash and load tests
	@python3 tests/run.py

bench: ## the workloads of docs/BENCHMARKS.md against a fresh server
	@python3 tests/run.py --only build
	@.venv/bin/python tests/load/bench.py

torture: ## every fault of docs/RELIABILITY.md on real engines, some twenty minutes; FAULTS="--only store-killed" for one
	@python3 tests/run.py --only build
	@.venv/bin/python tests/faults/torture.py $(FAULTS)

build: ## the release binary target/release/corral and a wheel in dist/
	@python3 tests/run.py --only build

dev: ## server, page with hot reload, seeded data
	@python3 demo/dev.py

engines: ## Apache Kafka and Apache Cassandra on loopback, fetched once, until Ctrl-C
	@PYTHONPATH=tests python3 -m engines

lint: ## formatting, clippy, the rules of the house, the protocol
	@python3 tests/run.py --only lint
