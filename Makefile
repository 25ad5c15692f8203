# make run: install, compile, serve on http://localhost:8042/. make test: the same, then every test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# What the tests compare with and measure by, beside Orthanc 1.13.0 in a root of its own and viewers of the npm
# registry; the bench measures by Debian's orthanc too. ALLOW_MISSING=1 runs without what cannot be installed.
TEST_PACKAGES := orthanc postgresql dcmtk dicom3tools p7zip-full unzip wrk chromium nginx cadaver rclone
BENCH_PACKAGES := orthanc dcmtk wrk nginx curl

.PHONY: run test check bench ext web wheel fuzz asan try-docker clean install install-test tools bench-tools

run: install
	$(BIN)/orthanc-fast serve

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml setup.py $(wildcard _ext/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check 'setuptools>=77' wheel 'cython>=3.2'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --editable .
	touch $@

install-test: $(VENV)/.installed-test

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --editable '.[test,check]'
	touch $@

tools:
	sh scripts/install_tools.sh $(TEST_PACKAGES)
	sh scripts/orthanc_root.sh >/dev/null || true
	sh scripts/npm_packages.sh || true

bench-tools:
	sh scripts/install_tools.sh $(BENCH_PACKAGES)
	sh scripts/orthanc_root.sh >/dev/null

# Each of the two gets half of the tests in their order, and takes from the other what is left: so
# nearly all modules start their servers once.
test: install-test tools
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

check: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	bash scripts/check_web.sh

# The pages of web/ into the package; what it writes belongs to the repository, so that nothing else needs Node.
web:
	bash scripts/build_web.sh

ext: install
	$(BIN)/python setup.py --quiet build_ext --inplace

bench: install-test bench-tools
	$(BIN)/python -m bench $(BENCH_ARGS)

wheel: install
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

fuzz: install-test
	sh tests/fuzz/run.sh

# The tests of the compiled parts under AddressSanitizer.
asan: install-test
	sh scripts/test_asan.sh

# With a Docker engine, or as root in bare Debian roots; needs the network, and some minutes.
try-docker:
	bash scripts/try_dockerfile.sh

clean:
	rm -rf $(VENV) build dist .local *.egg-info orthanc_fast/_ext/*.so
