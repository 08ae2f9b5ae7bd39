# `make run` and `make test` set up what they need by themselves, and skip it when it is current.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check lint bench study accuracy lock clean

run: $(VENV)/.serving
	$(BIN)/countersign serve --upgrade --demo

# A file's tests stay together: they share what takes long to make.
test: $(VENV)/.developing
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

# For everyday work, in under a minute: the linters, and all tests but the slow ones. A new test is
# part of it by itself; a file or folder that takes over five seconds alone is listed here.
SLOW := benchmarks \
  $(addprefix encoder/,calibration evaluation networks report synthesis training \
    scoring/test_script_compensation.py test_real_data.py) \
  $(addprefix index/,ivf milvus registry/test_processes.py) \
  $(addprefix service/,$(addprefix cli/,gallery models server writers) models server transfer web \
    api/test_bad_inputs.py test_replicas.py test_serve.py test_shared_index.py)
check: lint
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile \
	  $(addprefix --ignore=tests/,$(SLOW)) $(ARGS)

lint: $(VENV)/.developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.developing
	$(BIN)/python -m benchmarks.verify_path
	$(BIN)/python -m benchmarks.encoder_cost

# Trains and measures as docs/evaluation and docs/accuracy.md show: five folds, one model without
# each data set, the notebook's recipe with its faults corrected and as it was. About an hour on two
# cores (`make -j2 study` uses both all the time); what is done is not done again. Needs the three
# data sets.
SIGNATURES ?= ../shared/signatures
SETS := cedar bhsig260_bengali crossmedia_chinese
ALL := $(addprefix $(SIGNATURES)/,$(SETS))
FORGED := $(SIGNATURES)/cedar $(SIGNATURES)/bhsig260_bengali
FOLDS := $(addprefix runs/models/fold-,1 2 3 4 5)
STRANGERS := $(addprefix runs/models/without-,$(SETS))
# Of its 20, which take some eight minutes each on two quiet cores.
NOTEBOOK_EPOCHS ?= 1
RESULTS := runs/results
MEASURED := crossval zeroshot adapted shipped notebook
data = $(foreach set,$(1),--data $(SIGNATURES)/$(set))
named = $(addprefix --model ,$(1))
made = $(addsuffix /manifest.json,$(1))
evaluate = mkdir -p $(@D) && $(BIN)/countersign evaluate $(1) --html $(@:.json=.html) --json > $@
.DELETE_ON_ERROR:

study: $(addprefix $(RESULTS)/,$(addsuffix .json,$(MEASURED) original-notebook))
	mkdir -p docs/evaluation
	cp $^ $(addprefix $(RESULTS)/,$(addsuffix .html,$(MEASURED))) docs/evaluation
	$(BIN)/countersign model-card $(RESULTS)/crossval.json > docs/model-card.md
	$(BIN)/python -m benchmarks.study_tables docs/evaluation

$(RESULTS)/original-notebook.json: | $(VENV)/.developing
	mkdir -p $(@D)
	$(BIN)/python -m benchmarks.original_notebook $(FORGED) --epochs $(NOTEBOOK_EPOCHS) --json > $@

$(RESULTS)/notebook.json: $(call made,runs/models/notebook)
	$(call evaluate,$(FORGED) --model runs/models/notebook)

$(RESULTS)/crossval.json: $(call made,$(FOLDS))
	$(call evaluate,$(FORGED) --protocol crossval $(call named,$(FOLDS)) --baseline hog)

$(RESULTS)/zeroshot.json: $(call made,$(STRANGERS))
	$(call evaluate,$(ALL) --protocol zeroshot $(call named,$(STRANGERS)) --baseline hog)

$(RESULTS)/adapted.json: $(call made,$(STRANGERS))
	$(call evaluate,$(ALL) --protocol zeroshot $(call named,$(STRANGERS)) --adapt)

$(RESULTS)/shipped.json: $(call made,encoder/models/lean) | $(VENV)/.developing
	$(call evaluate,$(FORGED) --perturbations --controls)

# Error rates over HTTP, beside the notebook's network.
accuracy: runs/models/notebook/manifest.json
	$(BIN)/python -m benchmarks.accuracy $(SIGNATURES)/cedar --model runs/models/notebook

runs/models/fold-%/manifest.json: | $(VENV)/.developing
	$(BIN)/countersign train $(call data,$(SETS)) --run runs/fold-$* --fold $*/5 --resume
	$(BIN)/countersign export runs/fold-$* $(@D) $(call data,$(SETS))

runs/models/without-%/manifest.json: | $(VENV)/.developing
	$(BIN)/countersign train $(call data,$(filter-out $*,$(SETS))) --run runs/without-$* --resume
	$(BIN)/countersign export runs/without-$* $(@D) $(call data,$(filter-out $*,$(SETS)))

runs/models/notebook/manifest.json: | $(VENV)/.developing
	$(BIN)/countersign train $(call data,$(SETS)) --run runs/notebook --recipe notebook \
	  --epochs $(NOTEBOOK_EPOCHS) --resume
	$(BIN)/countersign export runs/notebook $(@D) $(call data,$(SETS))

# Writes the lock files anew: every package with its hashes, no download addresses.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-annotate --custom-compile-command "make lock"
lock: $(VENV)/.developing
	printf 'hatchling\neditables\n' > $(VENV)/build.in
	$(COMPILE) pyproject.toml $(VENV)/build.in -o requirements.lock
	$(COMPILE) pyproject.toml $(VENV)/build.in --extra train --extra postgres --extra milvus --extra parquet --extra dev -o requirements-dev.lock
	$(COMPILE) pyproject.toml $(VENV)/build.in --extra postgres --extra milvus -o requirements-scale-out.lock

clean:
	rm -rf $(VENV)

# What serving needs. Developing needs more; its environment serves as well.
$(VENV)/.serving: requirements.lock pyproject.toml
	@if test -f $(VENV)/.developing; \
	then $(MAKE) --no-print-directory $(VENV)/.developing; \
	else $(MAKE) --no-print-directory install LOCK=requirements.lock; fi
	@touch $@

$(VENV)/.developing: requirements-dev.lock pyproject.toml
	@$(MAKE) --no-print-directory install LOCK=requirements-dev.lock
	@touch $@

.PHONY: install
install:
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	  sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, this is {v.major}.{v.minor}; name one: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "venv is missing: on Debian, apt-get install python3-venv" >&2; exit 1; }
	@# The lock names every package; looking after dependencies again, pip would find newer ones.
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
