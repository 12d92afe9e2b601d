# Two commands on a fresh machine with python3, make and a C compiler: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test lint docs release hostile slow audit lowest clean

unexport PYTHONDONTWRITEBYTECODE # many tests start Python: without bytecode each of these compiles the package anew

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: install
	$(BIN)/modelprint demo --out demo

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m 'not (slow or hostile or mlflow or mlserver or imagenet or timm or hf or tensorflow or browser or magika or cuda)'
	$(BIN)/python -m pytest -q -p no:cacheprovider --doctest-modules src/modelprint

# The documentation site, in build/site/html; a link to nowhere is an error. In an environment of its own.
docs:
	test -x build/docs/bin/mkdocs || { $(PYTHON) -m venv build/docs && \
		build/docs/bin/pip install --quiet --disable-pip-version-check 'mkdocs>=1.6,<2' 'mkdocs-material>=9.6,<10' 'mkdocstrings[python]>=1.0'; }
	NO_MKDOCS_2_WARNING=1 build/docs/bin/python -m research.site --strict

# What is published: wheel and source distribution in dist, checked.
release:
	test -x build/release/bin/twine || { $(PYTHON) -m venv build/release && \
		build/release/bin/pip install --quiet --disable-pip-version-check build twine; }
	rm -rf dist
	build/release/bin/python -m build
	build/release/bin/twine check --strict dist/*

hostile: install
	$(BIN)/python -m pytest -q -m hostile tests/hostile tests/fuzz

slow: install
	$(BIN)/python -m pytest -q -m slow

# Known vulnerabilities in the tested versions; says "not checked" where no advisory service answers.
audit:
	$(PYTHON) .ci/audit

# The suite with the lowest versions that pyproject.toml allows, in an environment of its own.
lowest:
	test -x build/lowest/bin/python || $(PYTHON) -m venv build/lowest
	build/lowest/bin/pip install --quiet --disable-pip-version-check -c constraints-lowest.txt \
		-e '.[onnx,serve,console,ray,evidence,sbom]' pytest pytest-xdist hypothesis sarif-pydantic
	build/lowest/bin/python -m pytest -q -n 2 --dist worksteal -m 'not (slow or hostile or mlflow or mlserver or imagenet or timm or hf or tensorflow or browser or magika or cuda)' \
		--ignore tests/test_wheel.py

clean:
	rm -rf .venv build demo
