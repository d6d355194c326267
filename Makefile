# Everything a developer does here. `make` lists it.

PYTHON ?= python3.11
VENV ?= .venv
PY := $(VENV)/bin/python
# Extra arguments for what is made: make test ARGS="-k values" (of these pytest's alone), make bench ARGS="--quick"
ARGS ?=
# What all chance in the tests comes from, another number in each run: make test SEED=1 draws as before
SEED := $(strip $(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom)))
# How many rounds the tests of many threads go in make stress, and how many schedules make model tries
ROUNDS ?= 20
SCHEDULES ?= 1000
GROUPS := --group test --group lint --group bench
CARGO_PY := PYO3_PYTHON=$(abspath $(PY)) cargo

export SEED
export PROPTEST_RNG_SEED := $(SEED)
# pip finds maturin there.
export PATH := $(abspath $(VENV))/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo serve dev core test freethreaded lint fmt bench simulate stress servers soak wheels deny third-party asan boundary fuzz model traps

help: ## list what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: dev ## start the tutorial's application, show it speed up, check its answers
	$(PY) examples/demo.py

serve: dev ## keep the tutorial's application running until Ctrl-C (PORT=8000 fixes the port)
	$(PY) examples/demo.py --serve --port $(or $(PORT),0)

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade 'pip>=25.1'
	$(PY) -m pip install --quiet 'maturin>=1.9.4,<2' $(GROUPS)
	touch $@

dev: $(VENV)/ready ## build the extension and install the package into $(VENV)
	$(PY) -m pip install --quiet --no-build-isolation --force-reinstall --no-deps .
	$(PY) -m pip install --quiet 'flask>=3.0' 'flask-caching>=2.4,<2.6' cachelib

core: ## test the pure Rust core; needs no Python
	@echo SEED=$(SEED)
	cargo test $(if $(filter test,$(MAKECMDGOALS)),,$(ARGS))

model: ## the core's threads under a model checker, which tries many schedules (SCHEDULES=100000)
	@echo SEED=$(SEED)
	cargo clippy --features model --test core_schedules -- -D warnings
	SCHEDULES=$(SCHEDULES) cargo test --features model --test core_schedules $(ARGS)

boundary: $(VENV)/ready ## test what of the Python boundary is tested in Rust; links $(VENV)'s Python
	$(CARGO_PY) test --lib --features python py:: $(ARGS)

test: core dev ## test everything: the core, then the package on $(VENV)'s Python
	$(PY) -m pytest $(ARGS)

freethreaded: ## test the package on a free-threaded CPython (FREETHREADED=/path/to/python3.13t names one)
	.ci/freethreaded $(ARGS)

lint: dev ## rustfmt, clippy with and without Python, and for those that are absent; ruff, mypy, the stub against the module
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	$(CARGO_PY) clippy --all-targets --features python -- -D warnings
	$(PY) tools/compiles.py
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m mypy.stubtest flask_rustcache._native --mypy-config-file pyproject.toml
	$(VENV)/bin/zizmor --offline --quiet .github

fmt: $(VENV)/ready ## format Rust and Python
	cargo fmt
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

bench: dev ## measure side by side with the peers, write benches/report (use an optimised Python, such as Debian's)
	$(PY) benches/run.py $(ARGS)

simulate: ## hit ratios by eviction policy and trace (needs xz; see docs/eviction.md)
	cargo bench --bench simulator -- $(ARGS)

stress: dev ## threads and random operations for minutes (SEED=1 ROUNDS=100 repeat a run)
	@echo SEED=$(SEED)
	PROPTEST_CASES=20000 cargo test --release
	ROUNDS=$(ROUNDS) $(PY) -m pytest --hypothesis-profile=stress tests/test_stress.py tests/test_stress_fills.py \
		tests/test_differential.py tests/test_values_property.py tests/test_traps_locks.py \
		tests/test_cached_differential.py tests/test_cached_options_differential.py tests/test_memoize_differential.py $(ARGS)

servers: dev ## the tests of servers and forks, ten times as long
	SERVERS_SCALE=10 $(PY) -m pytest -k servers $(ARGS)

soak: dev ## serve for ten minutes under mixed load; fails on errors and on memory that grows (ARGS="--minutes 60")
	$(PY) benches/soak/run.py $(ARGS)

traps: dev ## probe the peers for every trap, write the table of docs/testing.md (ARGS="--only C6,K1": some, writing nothing)
	$(PY) tools/traps/run.py $(ARGS)

wheels: $(VENV)/ready ## build a wheel for every CPython found and the sdist, and try each in a fresh environment
	$(PY) tools/wheels.py

deny: ## licences, duplicates, origins and known holes of the Rust crates (needs cargo-deny and the network)
	cargo deny --locked --all-features check

third-party: ## write THIRD-PARTY-LICENSES.txt anew, after a change of the Rust crates
	$(PYTHON) tools/third_party.py

asan: dev ## everything under AddressSanitizer, where Rust and gcc have it (some 20 minutes)
	PYTHON=$(abspath $(PY)) tests/asan.sh $(ARGS)

fuzz: dev ## hostile input, guided by coverage, for four minutes; Linux only (ARGS="--minutes 60 --seed 1"; docs/fuzzing.md)
	$(PY) -m pip install --quiet --group fuzz
	$(PY) -m tests.fuzz.run $(ARGS)
