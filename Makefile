# Each target sets up .venv by itself; `make demo` or `make test` may be the first command.
VENV ?= .venv
BIN = $(VENV)/bin

MINUTES = 480
.PHONY: demo test check bench generated freeze fuzz soak clean

demo: $(VENV)/.demo
	$(BIN)/tidegate demo

test: $(VENV)/.dev
	tools/setup.sh system
	$(BIN)/pytest -n auto --dist loadgroup --no-loadscope-reorder

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/tidegate bench all

# What is made from the profiles and registries: pages, the README's table, the editors' schema.
generated: $(VENV)/.dev
	$(BIN)/tidegate profile doc --all
	$(BIN)/tidegate profile schema -o profiles/schema.json

# Before a release: its profiles, compiled, for every later release to read. Never written over.
freeze: $(VENV)/.dev
	$(BIN)/python -m tools.profile.proof.freeze

# Goes on until Ctrl-C, or until it finds something; what it learned stays in build/fuzz.
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz build/fuzz

# Worlds nobody lived in yet: each run begins where the day's date says.
soak: $(VENV)/.dev
	$(BIN)/tidegate sim city --seed $$(date +%Y%m%d000) --hours 72 --minutes $(MINUTES)

$(VENV)/.demo $(VENV)/.dev: setup.cfg pyproject.toml tools/setup.sh
	tools/setup.sh $(subst .,,$(suffix $@)) $(VENV)

clean:
	rm -rf $(VENV) build dist *.egg-info
