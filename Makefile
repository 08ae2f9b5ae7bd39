# `make run` and `make test` set up what they need by themselves, and skip it when it is current.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check lint bench study notebook-study accuracy lock clean

run: $(VENV)/.serving
	$(BIN)/countersign serve --upgrade --demo

# A file's tests stay together: they share what takes long to make.
test: $(VENV)/.developing
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

# For everyday work, in under a minute: the linters, and all tests but the slow ones. A new test is
# part of it by itself; a file or folder that takes over five seconds alone is listed here.
SLOW := benchmarks \
  $(addprefix encoder/,calibration evaluation networks report synthesis training \
    test_real_data.py) \
  $(addprefix index/,backup ivf milvus registry/test_processes.py) migrations/test_tombstones.py \
  $(addprefix service/,$(addprefix cli/,gallery models operation server test_places.py writers) client \
    doctor models \
    retention server transfer web \
    api/test_bad_inputs.py test_replicas.py test_serve.py test_shared_index.py) \
  test_operations.py test_walkthrough.py test_wheel.py
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

# Trains and measures as docs/evaluation and docs/accuracy.md show: five folds, and for each data set a
# model for which nothing was learned, fitted or chosen on it. About an hour on two cores (`make -j2
# study` uses both all the time); what is done is not done again. Needs all six data sets.
# Networks are trained on the first three; the rules of all models are fitted on the others too.
SIGNATURES ?= ../shared/signatures
SETS := cedar bhsig260_bengali crossmedia_chinese
MORE := sigcomp2009_nfi svc2004_task2 arabic_phone_10
ALL := $(addprefix $(SIGNATURES)/,$(SETS) $(MORE))
FORGED := $(SIGNATURES)/cedar $(SIGNATURES)/bhsig260_bengali
RUNS ?= runs
MODELS := $(RUNS)/models
FOLDS := $(addprefix $(MODELS)/fold-,1 2 3 4 5)
STRANGERS := $(addprefix $(MODELS)/without-,$(SETS) $(MORE))
RESULTS := $(RUNS)/results
MEASURED := crossval zeroshot shipped
data = $(foreach set,$(1),--data $(SIGNATURES)/$(set))
named = $(addprefix --model ,$(1))
made = $(addsuffix /manifest.json,$(1))
evaluate = mkdir -p $(@D) && $(BIN)/countersign evaluate $(1) --html $(@:.json=.html) --json > $@
.DELETE_ON_ERROR:

study: $(addprefix $(RESULTS)/,$(addsuffix .json,$(MEASURED)))
	mkdir -p docs/evaluation
	cp $(addprefix $(RESULTS)/,$(addsuffix .html,$(MEASURED))) docs/evaluation
	for file in $(notdir $^); do \
	  $(BIN)/python -m json.tool --compact $(RESULTS)/$$file docs/evaluation/$$file || exit; done
	$(BIN)/countersign model-card $(RESULTS)/zeroshot.json > docs/model-card.md
	$(BIN)/python -m benchmarks.study_tables docs/evaluation

# The notebook that Countersign started from, with its faults corrected and as it was, for all its 20
# epochs or until it stops early: hours. `make study` takes the results as they are committed. Run it
# again after an interruption: it goes on from the last checkpoint, and ends with the same result.
# RUNS=FOLDER keeps the checkpoints elsewhere.
NOTEBOOK_EPOCHS ?= 20
notebook-study: $(addprefix $(RESULTS)/,notebook.json original-notebook.json)
	mkdir -p docs/evaluation
	cp $^ $(RESULTS)/notebook.html docs/evaluation
	$(BIN)/python -m benchmarks.study_tables docs/evaluation

$(RESULTS)/original-notebook.json: | $(VENV)/.developing
	mkdir -p $(@D)
	$(BIN)/python -m benchmarks.original_notebook $(FORGED) --run $(RUNS)/original-notebook \
	  --epochs $(NOTEBOOK_EPOCHS) --json > $@

$(RESULTS)/notebook.json: $(call made,$(MODELS)/notebook)
	$(call evaluate,$(FORGED) --model $(MODELS)/notebook)

$(RESULTS)/crossval.json: $(call made,$(FOLDS))
	$(call evaluate,$(FORGED) --protocol crossval $(call named,$(FOLDS)) --baseline hog)

$(RESULTS)/zeroshot.json: $(call made,$(STRANGERS))
	$(call evaluate,$(ALL) --protocol zeroshot $(call named,$(STRANGERS)) --baseline hog)

$(RESULTS)/shipped.json: $(call made,encoder/models/lean) | $(VENV)/.developing
	$(call evaluate,$(FORGED) --perturbations --controls)

# Error rates over HTTP, beside the notebook's network.
accuracy: $(MODELS)/notebook/manifest.json
	$(BIN)/python -m benchmarks.accuracy $(SIGNATURES)/cedar --model $(MODELS)/notebook

$(MODELS)/fold-%/manifest.json: | $(VENV)/.developing
	$(BIN)/countersign train $(call data,$(SETS)) --run $(RUNS)/fold-$* --fold $*/5 --resume
	$(BIN)/countersign export $(RUNS)/fold-$* $(@D) $(call data,$(SETS) $(MORE))

# The shipped network saw none of these; its rule is fitted without them.
$(addprefix $(MODELS)/without-,$(addsuffix /manifest.json,$(MORE))): $(MODELS)/without-%/manifest.json: \
  | $(VENV)/.developing
	$(BIN)/countersign export encoder/models/lean $(@D) $(call data,$(filter-out $*,$(SETS) $(MORE)))

$(MODELS)/without-%/manifest.json: | $(VENV)/.developing
	$(BIN)/countersign train $(call data,$(filter-out $*,$(SETS))) --run $(RUNS)/without-$* --resume
	$(BIN)/countersign export $(RUNS)/without-$* $(@D) $(call data,$(filter-out $*,$(SETS) $(MORE)))

$(MODELS)/notebook/manifest.json: | $(VENV)/.developing
	$(BIN)/countersign train $(call data,$(SETS)) --run $(RUNS)/notebook --recipe notebook \
	  --epochs $(NOTEBOOK_EPOCHS) --resume
	$(BIN)/countersign export $(RUNS)/notebook $(@D) $(call data,$(SETS))

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
