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
.PHONY: help workbook test lab lesson check notebooks figure results constraints clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

workbook: $(INSTALLED)  ## Execute every notebook on the built-in data and model; results in output/
	$(BIN)/mskseg run $(ARGUMENTS)

test: $(INSTALLED)  ## Run all tests, the notebooks at quick size included
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGUMENTS)

lab: $(INSTALLED)  ## Open the notebooks in JupyterLab
	$(BIN)/mskseg lab

lesson: $(INSTALLED)  ## Write the notebooks without solutions, and as slides; output/lesson/
	$(BIN)/mskseg lesson $(ARGUMENTS)

check: $(INSTALLED)  ## Lint, format check and strict type check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

notebooks: $(INSTALLED)  ## Write each notebook's .ipynb from its .py
	$(BIN)/python -m mskseg.workbook.pairing

SCANS ?= ../shared/data
figure: $(INSTALLED)  ## Make the README's figure and its tables of real people anew
	@test -f $(SCANS)/qmritools/thigh_labels.txt || \
	  { echo "$(SCANS)/qmritools is not here; name the folder of scans: make figure SCANS=DIR"; exit 1; }
	$(BIN)/mskseg data fetch spine_vertebrae --from $(SCANS)
	$(BIN)/mskseg run 03 --fresh --output output/figure --dataset spine_vertebrae \
	  --model lite_medsam --model sam_vit_mini
	cp output/figure/figures/03_overlay_VB2_17.png docs/real_spine.png
	cp output/figure/tables/03_margins.csv docs/real_spines.csv
	cp output/figure/tables/03_margins.csv.provenance.json docs/real_spines.csv.provenance.json
	$(BIN)/mskseg evaluate $(SCANS)/qmritools/thigh_image.nii.gz --csv docs/zero_shot_thigh.csv \
	  --reference $(SCANS)/qmritools/thigh_labels.nii.gz --label-names $(SCANS)/qmritools/thigh_labels.txt

results: $(INSTALLED)  ## Run 04 and 08 at full size (a GPU, or a night); tables to results/
	$(BIN)/mskseg run 04 08 --size full --output output/full
	mkdir -p results
	cp output/full/tables/04_*.csv* output/full/tables/08_uncertainty.csv* results

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

# Of tptbox we want one real scan inside its wheel, and nothing that its code depends on.
# The pair check turns a torchvision that cannot load into one sentence, before anything else meets it.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(call uv,pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[test]')
	$(call uv,pip install --quiet --python $(BIN)/python --no-deps tptbox==1.1.0)
	$(BIN)/python -m mskseg.environment
	@touch $@
