# make demo: install, run the expert on unseen objects, print the table
# make test: install, run the tests
# See CONTRIBUTING.md for the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test families lint format check suites certify drift audit expert bench gates faults replays pictures
.PHONY: report-picture card clean

demo: $(READY)
	$(BIN)/vlabench eval --policy expert --suite unseen-objects --out results/runs/demo --fresh

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# One to two minutes a family on 2 quiet cores, and some more once, to build its environment with the
# packages that its card requires.
FAMILIES ?= lerobot transformers openvla openvla-oft action-tokens
REQUIRES := from vlabench.runner.job import requirements_of
REQUIRES += ; import sys; print(*requirements_of(sys.argv[1], {}), sep="\n")

families: $(FAMILIES:%=.venv-families/%/.tested)

.venv-families/%/.tested: .venv-families/%/.ready FORCE
	.venv-families/$*/bin/python -m pytest -q tests/families/test_$*.py

.venv-families/%/.ready: $(READY) policies/cards/*.yaml
	$(PYTHON) -m venv $(@D)
	$(BIN)/python $(SITE) > "$$($(@D)/bin/python $(SITE))/the-rest.pth"
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	$(BIN)/python -c '$(REQUIRES)' $* | \
		xargs -d '\n' $(@D)/bin/python -m pip install --quiet --disable-pip-version-check \
			-c constraints.txt
	touch $@

FORCE:

.PRECIOUS: .venv-families/%/.ready

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test

# Hours on 2 cores: every baseline on every suite, and what each must reach.
suites: $(READY)
	$(BIN)/python benchmarks/baselines.py

# A quarter of an hour on 2 cores: the expert on every task, and on every axis at every level.
expert: $(READY)
	$(BIN)/python benchmarks/expert.py

# Hours on 2 cores: the expert solves every episode of every suite; goes on where it stopped.
certify: $(READY)
	$(BIN)/vlabench certify --all

# Two minutes: which of N certified episodes (0: all) come out otherwise under another MuJoCo.
MUJOCO ?= 3.10.0
N ?= 100
OTHER := .venv-mujoco-$(MUJOCO)
SITE := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'

drift: $(READY)
	$(PYTHON) -m venv $(OTHER)
	$(OTHER)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps mujoco==$(MUJOCO) -e .
	$(BIN)/python $(SITE) > "$$($(OTHER)/bin/python $(SITE))/the-rest.pth"
	$(OTHER)/bin/vlabench certify full --check $(N) --out results/drift/mujoco-$(MUJOCO).json || \
		{ test $$? -eq 1 && echo "There is drift; results/drift/mujoco-$(MUJOCO).json has all of it."; }

# A quarter of an hour on 2 cores: how often the success tests are wrong.
audit: $(READY)
	$(BIN)/vlabench audit

# Ten minutes: speed as ratios measured in one run, and what reaches the policy as pixels.
bench: $(READY)
	$(BIN)/python benchmarks/peers.py
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/episode_profile.py
	$(BIN)/python benchmarks/scene_size.py
	$(BIN)/python benchmarks/inference.py
	$(BIN)/python benchmarks/render_profile.py
	$(BIN)/python benchmarks/axis_pixels.py 15
	$(BIN)/python benchmarks/million.py

# A minute: false alarms and power of the comparison and of the sequential gate.
gates: $(READY)
	$(BIN)/python benchmarks/gates.py

# Ten minutes: kills, power cuts, full disks and hung processes, and the table of what they cost.
faults: $(READY)
	$(BIN)/python benchmarks/faults.py

# Half an hour on 2 cores: 200 episodes over all tasks and axes come out the same again.
replays: $(READY)
	$(BIN)/vlabench eval --policy noisy:expert --suite full --out results/runs/replays-full
	$(BIN)/vlabench eval --policy noisy:expert --suite train --tasks serve,close-drawer --limit 5 --out results/runs/replays-train
	$(BIN)/python benchmarks/replays.py results/runs/replays-full results/runs/replays-train

pictures: $(READY)
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/sheets.py

# Ten minutes: docs/report.png, from a report of two runs with films. Needs Chromium.
report-picture: $(READY)
	$(BIN)/python docs/report_picture.py

# Seconds: docs/benchmark.md anew from the code, the certificates, the audit and the baselines.
card: $(READY)
	$(BIN)/python docs/card.py

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
		{ echo "vlabench needs Python 3.11 or 3.12; name one with make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) .venv-mujoco-* .venv-families build dist *.egg-info
