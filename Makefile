# Everything okng needs on a fresh Debian 12 with Python 3.11. `make help` lists the targets.
# Each target does all of its own set-up, does nothing twice, and may be interrupted and repeated.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Which onnxruntime: cpu, or gpu (CUDA). Never both: the two share one folder.
RUNTIME ?= cpu
# Arguments for `okng demo`, for example DEMO='--parts FOLDER --headless'.
DEMO ?=
# Further arguments for the proof, for example PROOF='--seed 7'.
PROOF ?=
# Further arguments for the pictures, for example SHOTS='--only run,alarms'.
SHOTS ?=
# Arguments for the fault matrix, for example FAULTS='--rows 1,2 --short'.
FAULTS ?=
# Further arguments for the power cuts, for example POWERCUT='--seed 7'.
POWERCUT ?=
# Further arguments for the soak, for example SOAK='--parts 100000 --every 10000', or SOAK='--minutes 20'.
SOAK ?=
# Arguments for pytest, for example PYTEST='-k judge'.
PYTEST ?=
# Two processes that share the rooms (tests/conftest.py). HALVES= runs one test after the other.
HALVES ?= -n 2 --dist loadscope
# Three boxes and a service are as much as the machine holds, so they come when all else is through. Who asks for some
# tests by PYTEST gets those alone.
PLANT ?= $(if $(PYTEST),,tests/scenario)

VENV := .venv
# torch never enters the line's own environment: its libraries and pins are others.
TRAIN := .venv-train
# Nor does anomalib, whose exports are imported in the tests: a peer, like those below.
FOREIGN := .venv-foreign
ANOMALIB := anomalib==2.7.0
# And MLflow's server and the peers of data sets (pycocotools, Label Studio's converter): programs, not libraries of ours.
MLFLOW := .venv-mlflow
PY := $(VENV)/bin/python
DONE := $(VENV)/.okng
PIP := $(PY) -m pip --disable-pip-version-check --no-input -qq

# What the demo needs of Debian. libpython3.11: genicam's wheel links it, Debian's own python3.11 does not bring it.
APT := ca-certificates gcc libc6-dev libpython3.11
# What the tests need on top: a browser and fonts for the page; foreign peers for Modbus, serial lines, MQTT and TLS, and
# tshark to look at the wire; systemd-analyze; sqlite3 as a peer.
APT_TEST := chromium fonts-noto-cjk fonts-dejavu-core mbpoll libmodbus-dev pkg-config socat mosquitto mosquitto-clients \
    tshark openssl iproute2 e2fsprogs systemd sqlite3 dmtx-utils qrencode zint gir1.2-gst-rtsp-server-1.0 python3-gi \
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly aravis-tools weston \
    gir1.2-aravis-0.8 libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 poppler-utils nftables postgresql-15 nginx-light strace
# Peers written in JavaScript. A node that is there already, from wherever, is left alone.
APT_TEST += $(if $(and $(shell command -v node),$(shell command -v npm)),,nodejs npm)

.PHONY: help
help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

.PHONY: setup
setup: $(DONE)/runtime-$(RUNTIME) $(DONE)/okng simline/okngsim.cti $(DONE)/words  ## Virtual environment, simulated camera, .venv/bin/okng

.PHONY: demo
demo: setup  ## The whole line, simulated, with the operator page on 127.0.0.1:8080 (Ctrl-C ends it)
	@$(VENV)/bin/okng demo $(DEMO)

.PHONY: test
test: setup-test $(MLFLOW)/.okng/mlflow lint  ## All checks and all tests: those of the line and those beside it, at once; then the plant
	@base=$$(mktemp -d /tmp/okt.XXXXXX); trap 'rm -rf "$$base"' EXIT; \
	$(VENV)/bin/pytest $(HALVES) --ignore tests/scenario --basetemp "$$base/t" $(PYTEST)  # short: names of sockets are
	@$(if $(PLANT),base=$$(mktemp -d /tmp/okt.XXXXXX); trap 'rm -rf "$$base"' EXIT; \
	$(VENV)/bin/pytest --basetemp "$$base/t" $(PLANT))

.PHONY: test-fleet
test-fleet: setup-test $(MLFLOW)/.okng/mlflow  ## The long tests of the fleet: services, boxes, lines, MLflow; some minutes
	@base=$$(mktemp -d /tmp/okt.XXXXXX); trap 'rm -rf "$$base"' EXIT; files=$$($(PY) -c 'import runpy; \
	    print(*("tests/" + f for f in sorted(runpy.run_path("tests/conftest.py")["LONG"])))'); \
	OKNG_FLEET=1 $(VENV)/bin/pytest $(HALVES) --basetemp "$$base/t" $$files $(PYTEST)

.PHONY: test-units
test-units: setup-test  ## The tests that start no line and no browser
	@$(VENV)/bin/pytest -m 'not line and not ui' $(PYTEST)

.PHONY: test-train
test-train: $(TRAIN)/.okng/train  ## The tests of supervised training, in an environment of its own with torch (6 GB)
	@$(if $(HALVES),OMP_NUM_THREADS=1) $(TRAIN)/bin/python -m pytest $(if $(HALVES),-n 2 --dist loadfile) -m train tests/training_torch $(PYTEST)

.PHONY: test-ray
test-ray: $(TRAIN)/.okng/train  ## The backtest on a Ray cluster, in the same environment
	@$(TRAIN)/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes -r requirements/ray.txt -r requirements/base.txt
	@$(TRAIN)/bin/python -m pytest -m train tests/training_torch/test_backtest_ray.py $(PYTEST)

.PHONY: test-foreign
test-foreign: $(FOREIGN)/.okng/foreign  ## Real exports of torchvision and anomalib inside bundles, in an environment of their own (7 GB)
	@$(FOREIGN)/bin/python -m pytest -m train tests/training_torch/test_import_anomalib.py tests/training_torch/test_import_torchvision.py $(PYTEST)

.PHONY: bench
bench: setup-test  ## Figures: line, wires to the PLC and camera beside their bare peers; unpacking, alignment, image health, codes
	@$(PY) bench/line.py
	@$(PY) bench/plc.py
	@$(PY) bench/camera.py
	@$(PY) bench/unpack.py
	@$(PY) bench/align.py
	@$(PY) bench/health.py
	@$(PY) bench/codes.py

# Arguments for the thousand boxes, for example FLEET='--boxes 100 --seconds 60 --million 0.1'.
FLEET ?=

.PHONY: bench-fleet
bench-fleet: setup-test  ## 1,000 simulated boxes on one fleet service: records/s, p95, size, cost; half an hour on a quiet machine
	@$(PY) bench/fleet.py --page docs/scale.md $(FLEET)

# Arguments for the dead week, for example UPLINK='--only line'.
UPLINK ?=

.PHONY: bench-uplink
bench-uplink: setup-test  ## Seven days without the fleet service and back through a lossy wire; the line with the uplink beside
	@$(PY) bench/uplink.py $(UPLINK)

.PHONY: bench-fleet-pages
bench-fleet-pages: setup-test  ## What the fleet's pages ask of a million parts, and how long that takes
	@$(PY) bench/fleet_pages.py

.PHONY: bench-gpu
bench-gpu: setup-test  ## GPU beside CPU: scores, time, training. On a machine with one: RUNTIME=gpu, and torch for the training
	@$(PY) bench/gpu.py

.PHONY: bench-models
bench-models: setup-test $(FOREIGN)/.okng/foreign  ## Cost of a taught model beside its backbone and anomalib's models, of a part, and of teaching
	@$(FOREIGN)/bin/python bench/models_peers.py
	@$(PY) bench/models.py

.PHONY: screenshots
screenshots: setup-test  ## Pictures of every screen from a running simulated line, both languages, into docs/screens
	@$(PY) tests/webui/screenshots.py $(SHOTS)

.PHONY: bench-shadow
bench-shadow: setup-test  ## The verdict's time with and without a model in the shadow, and while one is loaded, on a running simulated line
	@$(PY) bench/shadow.py

.PHONY: bench-web
bench-web: setup-test  ## The screens on a running simulated line: how late, how heavy, and whether the line notices
	@$(PY) bench/web.py

.PHONY: quality
quality: setup-test  ## What teaching sees on real (../shared/data) and rendered products, three seeds; golden reference; some minutes
	@$(PY) bench/quality.py
	@if [ -d ../shared/data/deeppcb ]; then $(PY) bench/golden.py; else echo "golden reference: ../shared/data/deeppcb is not there: left out"; fi

.PHONY: proof
proof: setup invariants proxy  ## 10,000 parts with speed changes, stops, 2 % faults and 20 kills of each process, and the two below
	@$(VENV)/bin/okng demo --headless --count 10000 --varying --faults 2 --kills 20 --size 128 --rate 20 \
	    --out proof-out --json proof-out.json $(PROOF)

.PHONY: invariants
invariants: setup-test  ## I1 to I11 over 2,000 drawn runs of the virtual belt; some minutes
	@OKNG_INVARIANTS=2000 $(VENV)/bin/pytest -q tests/plc_io/test_invariants.py $(PYTEST)

.PHONY: mutants
mutants: setup-test  ## Trackers broken on purpose, and which invariant tells each
	@$(PY) -m okng.tests.plc_io.mutants

.PHONY: proxy
proxy: setup-test  ## 100,000 parts through a bad cable: the PLC's account against the ledger; some minutes
	@$(PY) tests/plc_io/proxy_proof.py --parts 100000
	@$(PY) tests/plc_io/proxy_proof.py --parts 30000 --rate 2 --cable anywhere

# Seconds for each parser, for example FUZZ_S=60. What was found interesting is kept in fuzz-out and begun with again.
FUZZ_S ?= 3600

.PHONY: fuzz
fuzz: setup-test  ## Every parser of bytes from outside, an hour each, one after the other; goes on after a finding, exit 1 then
	@found=0; for name in $$($(PY) -c 'from okng.tests.fuzz.harness import names; print(*names())'); do \
	    echo "== $$name"; mkdir -p fuzz-out/$$name; \
	    $(PY) -m okng.tests.fuzz.harness $$name --seconds $(FUZZ_S) --corpus fuzz-out/$$name >fuzz-out/$$name.log 2>&1 || \
	        { found=1; grep -E '^(reproduce|too slow)|ERROR: libFuzzer' fuzz-out/$$name.log || tail -5 fuzz-out/$$name.log; }; \
	    grep -hE 'executed_units|peak_rss' fuzz-out/$$name.log || true; done; exit $$found

.PHONY: hostile
hostile: setup-test  ## 10,000 mutants of a model tried in a process that is thrown away; half an hour
	@OKNG_MUTANTS=10000 $(VENV)/bin/pytest -q tests/models/test_hostile.py -k mutant -rP $(PYTEST)

.PHONY: reconnect
reconnect: setup-test  ## A camera's cable pulled and put back 1,000 times: no leak, how soon it is READY again; 13 minutes
	@$(PY) bench/reconnect.py

.PHONY: faults
faults: setup-test  ## The fault matrix on the running simulated line, into docs/faults.md; hours. FAULTS='--short' for minutes
	@$(PY) -m okng.tests.faults --docs docs $(FAULTS)

.PHONY: fleet-proof
fleet-proof: setup-test  ## Three boxes, a fleet service, a rollout, attacks, act by act, into docs/scenario.md; a quarter of an hour
	@$(PY) -m okng.tests.scenario --docs docs

.PHONY: powercut
powercut: setup-test  ## 200 power cuts of records under load, and one at each file operation of what changes the box; root; some minutes
	@$(PY) -m okng.tests.powercut --cuts 200 --json docs/powercut.json $(POWERCUT)

# Everything for machines without a network and without this folder goes to dist/.
DIST := dist
HOUSE := $(DIST)/wheelhouse-$(RUNTIME)
SBOM := $(DONE)/sbom/bin/python

.PHONY: wheelhouse
wheelhouse: setup  ## All wheels of a box and their digests, for pip without a network: dist/wheelhouse-cpu (RUNTIME=gpu)
	@packaging/wheelhouse.sh $(PY) $(RUNTIME) $(HOUSE)
	@echo "$(HOUSE): $$(ls $(HOUSE)/wheels | wc -l) wheels, $$(du -sh $(HOUSE) | cut -f1)"

.PHONY: sbom
sbom: wheelhouse $(DONE)/sbom/done  ## What is in a package, as CycloneDX 1.6: dist/okng.cdx.json
	@scripts/apt.sh binutils python3
	@stage=$$(mktemp -d); trap 'rm -rf "$$stage"' EXIT; \
	packaging/environment.sh $(PY) $(HOUSE) "$$stage/okng" /opt/okng; packaging/sbom.sh $(SBOM) "$$stage/okng" $(DIST)/okng.cdx.json

.PHONY: deb
deb: wheelhouse $(DONE)/sbom/done  ## Packages for Debian 12: dist/okng_*.deb (RUNTIME=gpu: okng-gpu_*.deb), okng-kiosk; 3 minutes, of which xz has two
	@scripts/apt.sh binutils python3
	@SBOM=$(SBOM) packaging/deb.sh $(PY) $(RUNTIME) $(HOUSE) $(DIST)

.PHONY: test-deb
test-deb: setup-test deb  ## The package in a bare Debian: installed, upgraded, refused, removed, purged; the wheelhouse without a network; root
	@scripts/apt.sh debootstrap systemd-container rauc squashfs-tools shellcheck
	@OKNG_DEB=$$(ls -t $(DIST)/okng_*_amd64.deb | head -n 1) OKNG_WHEELHOUSE=$(HOUSE) \
	$(VENV)/bin/pytest -m deb tests/packaging $(PYTEST)

.PHONY: soak
soak: setup-test  ## 1,000,000 parts through every process of the box as fast as it takes them, and what grows; an hour or so; goes on where it was stopped
	@$(PY) -m okng.tests.soak --json docs/soak.json $(SOAK)

.PHONY: nth
nth: setup-test  ## Every operation of disk, database, shared memory and sockets of records and bus made to fail in turn; a quarter of an hour
	@OKNG_NTH=all $(VENV)/bin/pytest -q --timeout 3600 tests/records/test_nth.py tests/records/test_nth_process.py tests/records/test_migrate.py \
	    tests/bus/test_nth.py $(PYTEST)

# Arguments for bench/records.py, for example RECORDS='--rows 1000000 --store /mnt/data/bench'.
RECORDS ?=

.PHONY: bench-records
bench-records: setup-test  ## The ledger: durable parts a second beside bare SQLite, and the screens' questions at 10,000,000 parts (20 GB)
	@$(PY) bench/records.py $(RECORDS)

.PHONY: lint
lint: setup-test  ## ruff, format and mypy --strict over product, tests and bench
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --check --quiet .
	@house=$$(mktemp -d); trap 'rm -rf "$$house"' EXIT; ln -s "$(CURDIR)" "$$house/okng"; cd "$$house"; \
	"$(CURDIR)/$(VENV)/bin/mypy" --config-file okng/setup.cfg --cache-dir "$(CURDIR)/.mypy_cache" -p okng

.PHONY: format
format: setup-test  ## Put every file into ruff's shape
	@$(VENV)/bin/ruff check --fix --quiet . ; $(VENV)/bin/ruff format --quiet .

# One resolution for all: the widest lock is made first and bounds the others, so the same library has one version.
.PHONY: lock
lock: $(DONE)/venv  ## Resolve setup.cfg anew into requirements/*.txt
	@scripts/lock.sh "$(VENV)"

.PHONY: setup-test
setup-test: setup $(DONE)/test $(DONE)/peers

.PHONY: setup-ci
setup-ci: lint $(MLFLOW)/.okng/mlflow $(TRAIN)/.okng/train  ## All environments of the tests, with make -j 2 at once, and lint beside

.PHONY: clean
clean:  ## Remove what was built; the virtual environment goes too
	@rm -rf $(VENV) $(TRAIN) $(FOREIGN) $(MLFLOW) tests/peers/node_modules build dist okng.egg-info simline/okngsim.cti .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find webui -name '*.mo' -delete

# An environment that cannot start its pip was cut off while it was made, or was moved: made afresh.
$(DONE)/venv: requirements/build.txt scripts/apt.sh scripts/python.sh
	@scripts/apt.sh $(APT)
	@$(PY) -c 'import pip, sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	    python=$$(scripts/python.sh); echo "virtual environment: $$python"; "$$python" -m venv --clear $(VENV); }
	@mkdir -p $(DONE)
	@$(PIP) install --require-hashes -r requirements/build.txt
	@touch $@

$(DONE)/runtime-$(RUNTIME): $(DONE)/venv requirements/base.txt requirements/$(RUNTIME).txt requirements/sim.txt
	@rm -f $(DONE)/runtime-* $(DONE)/test
	@other=onnxruntime$$([ $(RUNTIME) = gpu ] || echo -gpu); \
	if $(PIP) show --quiet "$$other" 2>/dev/null; then $(PIP) uninstall -y onnxruntime onnxruntime-gpu; fi
	@echo "python packages: the line and its simulation ($(RUNTIME))"
	@$(PIP) install --require-hashes -r requirements/base.txt -r requirements/$(RUNTIME).txt -r requirements/sim.txt
	@touch $@

# Editable: the code runs from this folder. Its libraries come from the locks alone.
$(DONE)/okng: $(DONE)/venv setup.cfg pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

simline/okngsim.cti: $(DONE)/runtime-$(RUNTIME) $(DONE)/okng $(wildcard simline/*.c simline/*.h simline/build.py simline/genapi.py simline/features.py simline/formats.py simline/mishaps.py)
	@echo "simulated camera: building"
	@$(PY) -m okng.simline.build
	@touch $@

$(DONE)/words: $(DONE)/runtime-$(RUNTIME) $(DONE)/okng $(wildcard webui/catalogue.py webui/translations/*/LC_MESSAGES/*.po)
	@if [ -f webui/catalogue.py ]; then $(PY) -m okng.webui.catalogue; fi
	@touch $@

# What makes the SBOM has libraries of its own, which are no part of what it lists.
$(DONE)/sbom/done: $(DONE)/venv requirements/sbom.txt
	@$(PY) -m venv --clear $(DONE)/sbom
	@$(DONE)/sbom/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes -r requirements/sbom.txt
	@touch $@

# Foreign programs in JavaScript, by the digests of their lock; none may run a script of its own while it is installed.
$(DONE)/peers: tests/peers/package-lock.json $(DONE)/test
	@echo "node packages: the tests' peers"
	@cd tests/peers && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

# A minute and a half; 1.1 GB. Of this and of torch little is ever imported: what is, is compiled then.
$(MLFLOW)/.okng/mlflow: requirements/build.txt requirements/mlflow.txt | $(DONE)/venv
	@python=$$(scripts/python.sh); echo "virtual environment for MLflow: $$python"; "$$python" -m venv --clear $(MLFLOW)
	@$(MLFLOW)/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes -r requirements/build.txt
	@echo "python packages: MLflow's server and the peers of data sets"
	@$(MLFLOW)/bin/python -m pip --disable-pip-version-check --no-input -qq install --no-compile --require-hashes -r requirements/mlflow.txt
	@mkdir -p $(@D) && touch $@

TRAIN_LOCKS := base cpu test train track search

$(TRAIN)/.okng/libraries: requirements/build.txt $(TRAIN_LOCKS:%=requirements/%.txt) | $(DONE)/venv
	@python=$$(scripts/python.sh); echo "virtual environment for training: $$python"; "$$python" -m venv --clear $(TRAIN)
	@$(TRAIN)/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes -r requirements/build.txt
	@echo "python packages: torch, the trainer and its tests"
	@$(TRAIN)/bin/python -m pip --disable-pip-version-check --no-input -qq install --no-compile --require-hashes $(TRAIN_LOCKS:%=-r requirements/%.txt)
	@mkdir -p $(@D) && touch $@

$(TRAIN)/.okng/train: $(TRAIN)/.okng/libraries setup.cfg pyproject.toml
	@$(TRAIN)/bin/python -m pip --disable-pip-version-check --no-input -qq install --no-deps --no-build-isolation -e .
	@touch $@

# What okng and torch need comes from the locks; anomalib brings its own on top, as the newest that fit.
FOREIGN_LOCKS := base cpu test train

$(FOREIGN)/.okng/foreign: requirements/build.txt $(FOREIGN_LOCKS:%=requirements/%.txt) setup.cfg pyproject.toml scripts/python.sh
	@python=$$(scripts/python.sh); echo "virtual environment for foreign models: $$python"; "$$python" -m venv --clear $(FOREIGN)
	@$(FOREIGN)/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes -r requirements/build.txt
	@echo "python packages: torch, $(ANOMALIB)"
	@$(FOREIGN)/bin/python -m pip --disable-pip-version-check --no-input -qq install --require-hashes $(FOREIGN_LOCKS:%=-r requirements/%.txt)
	@$(FOREIGN)/bin/python -m pip --disable-pip-version-check --no-input -qq install $(ANOMALIB)
	@$(FOREIGN)/bin/python -m pip --disable-pip-version-check --no-input -qq install --no-deps --no-build-isolation -e .
	@mkdir -p $(@D) && touch $@

TEST_EXTRAS := fleet cloud track tls sign opcua mqtt gpio report export fuzz test

$(DONE)/test: $(DONE)/runtime-$(RUNTIME) $(TEST_EXTRAS:%=requirements/%.txt) scripts/apt.sh
	@scripts/apt.sh $(APT_TEST)
	@echo "python packages: the tests"
	@$(PIP) install --require-hashes $(TEST_EXTRAS:%=-r requirements/%.txt)
	@touch $@
