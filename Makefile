# `make` alone prints what there is. Every target makes .venv itself; nothing is installed outside it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# uv where it is on the PATH; otherwise it is installed into .venv first.
UV := $(shell command -v uv 2>/dev/null)
# More for the command: make test ARGUMENTS="-k volume", make workbook ARGUMENTS="--size quick"
ARGUMENTS ?=

.DEFAULT_GOAL := help
.PHONY: help workbook bench test test-slow test-all lab lesson docs check notebooks table results keep constraints clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

workbook: $(INSTALLED)  ## Execute every notebook on the built-in data and model; results in output/
	$(BIN)/mskseg run --all $(ARGUMENTS)

# Files whole, the notebooks one by one and first: tests/conftest.py
PYTEST = $(BIN)/python -m pytest -n auto --dist loadfile --durations=15 --durations-min=1
test: $(INSTALLED)  ## Run the quick tests, and each notebook once at quick size
	$(PYTEST) -m "not slow or notebook" $(ARGUMENTS)

test-slow: $(INSTALLED)  ## Run the tests that `make test` leaves out
	$(PYTEST) -m "slow and not notebook" $(ARGUMENTS)

test-all: test test-slow  ## Run both

lab: $(INSTALLED)  ## Open the notebooks in JupyterLab
	$(BIN)/mskseg lab

lesson: $(INSTALLED)  ## Write the notebooks without solutions, and as slides; output/lesson/
	$(BIN)/mskseg lesson $(ARGUMENTS)

docs: $(INSTALLED)  ## Build the site from the notebooks as they were run last; output/site/index.html
	$(BIN)/python -m sphinx --quiet --fail-on-warning docs output/site $(ARGUMENTS)

check: $(INSTALLED)  ## Lint, format check and strict type check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

notebooks: $(INSTALLED)  ## Write each notebook's .ipynb from its .py
	$(BIN)/python -m mskseg.workbook.pairing

SCANS ?= ../shared/data
table: $(INSTALLED)  ## Make the README's table of a real thigh anew
	@test -f $(SCANS)/qmritools/thigh_labels.txt || \
	  { echo "$(SCANS)/qmritools is not here; name the folder of scans: make table SCANS=DIR"; exit 1; }
	$(BIN)/mskseg evaluate $(SCANS)/qmritools/thigh_image.nii.gz --csv docs/zero_shot_thigh.csv \
	  --reference $(SCANS)/qmritools/thigh_labels.nii.gz --label-names $(SCANS)/qmritools/thigh_labels.txt

# Each line goes on where it was interrupted: finished notebooks and trainings are kept in output/study*.
STUDY = $(BIN)/mskseg run --size study --jobs 1 --output output/study
PAIR = --model lite_medsam --model sam_vit_mini
results: $(INSTALLED)  ## Run the study on real people (hours); tables to results/
	$(BIN)/mskseg data fetch spine_vertebrae $(if $(wildcard $(SCANS)/fastcleverseg),--from $(SCANS))
	$(STUDY) 03 04 07 08 --dataset spine_vertebrae $(PAIR)
	$(STUDY)-sam_vit_mini 04 --dataset spine_vertebrae --model sam_vit_mini
	$(STUDY)-phantom_spine 03 04 --dataset phantom_spine --model lite_medsam
	for run in "" -sam_vit_mini -phantom_spine; do $(MAKE) --no-print-directory keep RUN=$$run; done

KEPT = 03_margins 03_people 04_cross_table 04_modes 04_training_size 04_jitter \
  07_inside_outside 07_training_sizes 07_finders 07_nnunet_curve 08_people 08_uncertainty 08_compared
keep:  ## Copy to results/ (and the README's figure) what a run of the study has written by now
	for table in $(KEPT); do for end in csv csv.provenance.json; do \
	  test ! -f output/study$(RUN)/tables/$$table.$$end || \
	    cp output/study$(RUN)/tables/$$table.$$end results/$${table}$(subst -,_,$(RUN)).$$end; \
	done; done
	test -n "$(RUN)" -o ! -f output/study/figures/04_overlay.png || \
	  cp output/study/figures/04_overlay.png docs/real_spine.png

bench: $(INSTALLED)  ## Measure models and loops, in ratios; tables in benchmarks/results/
	$(BIN)/python -m benchmarks $(ARGUMENTS)

constraints: $(BIN)/python  ## Compile constraints.txt anew from pyproject.toml (the newest versions allowed)
	$(call uv,pip compile --quiet --universal --upgrade --all-extras --no-annotate \
	  --custom-compile-command "make constraints" --python-version 3.11 \
	  --output-file constraints.txt pyproject.toml)

clean:  ## Remove .venv and output/
	rm -rf $(VENV) output

uv = $(if $(UV),$(UV),$(BIN)/uv) $(1)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than Python 3.11: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	$(if $(UV),$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV))
	$(if $(UV),,$(BIN)/python -m pip install --quiet uv)

# Of tptbox we want one real scan inside its wheel, and nothing that its code depends on. sam2, a
# third party's package of the code of SAM 2's authors, is built without its CUDA part.
# The pair check turns a torchvision that cannot load into one sentence, before anything else meets it.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(call uv,pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[test]')
	$(call uv,pip install --quiet --python $(BIN)/python --no-deps tptbox==1.1.0)
	SAM2_BUILD_CUDA=0 $(call uv,pip install --quiet --python $(BIN)/python --no-deps \
	  --no-build-isolation-package sam2 sam2==1.1.0)
	$(BIN)/python -m mskseg.environment
	@touch $@
